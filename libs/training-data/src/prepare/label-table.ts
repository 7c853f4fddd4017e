/** The classes of a file, numbered in the order in which they first occur. */
export class LabelTable {
  readonly #numbers = new Map<string, number>();
  readonly names: string[] = [];

  numberOf(label: string): number {
    const known = this.#numbers.get(label);
    if (known !== undefined) return known;
    const number = this.names.length;
    this.#numbers.set(label, number);
    this.names.push(label);
    return number;
  }
}
