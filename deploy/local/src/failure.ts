/** A reason not to start that the person at the terminal can act on: its message says what to do next. */
export class LaunchError extends Error {
  override name = 'LaunchError';
}
