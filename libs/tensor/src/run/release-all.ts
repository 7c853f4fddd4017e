/** Does each of these in their order, whatever one before it throws; the first error is thrown once all are done. */
export const releaseAll = async (releases: Iterable<() => unknown>): Promise<void> => {
  const errors: unknown[] = [];
  for (const release of releases) {
    try {
      await release();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
};
