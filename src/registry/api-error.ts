/** A refusal with the HTTP status and the plain-text body that Consul would answer with. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** Several faults in the layout of Consul's own multi-errors, so that scripts which match on them keep working. */
export function multiErrorText(faults: readonly string[]): string {
  const head = faults.length === 1 ? '1 error occurred:' : `${faults.length} errors occurred:`;
  return `${head}\n${faults.map((fault) => `\t* ${fault}\n`).join('')}\n`;
}
