/** One line of progress on stderr. */
export const say = (text) => {
  process.stderr.write(`set-up: ${text}\n`);
};
