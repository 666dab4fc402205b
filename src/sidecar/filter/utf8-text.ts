/** Bytes as they came, one character each, to the text that a protobuf string is. */
export function utf8Text(bytes: string): string {
  return /^[ -~]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}
