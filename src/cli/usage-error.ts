/** Wrong usage or configuration: the command line ends with code 2 and this one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
