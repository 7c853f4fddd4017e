/** The folder's path; where it is not there yet, some seconds pass. Rejects without the model package: ask `modelPackage('smolLm2')` first. */
export function smolLm2Folder(): Promise<string>;
