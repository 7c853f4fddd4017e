/** Limits of a training file that are stated in the public interface. */
export const ROW_LIMITS = {
  /** Bytes of one line. */
  maxRowBytes: 4 * 1024 * 1024,
  /** Arrays and objects open at once within a row. */
  maxDepth: 64,
  /** Messages of one conversation. */
  maxMessages: 2048,
  /** Rows that a file needs at least. */
  minExamples: 10,
  /** Different classes of one file. */
  maxLabels: 256,
  /** Of a class's name. */
  maxLabelCharacters: 64,
} as const;
