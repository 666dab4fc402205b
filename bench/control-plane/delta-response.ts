/** What a client must know of a DeltaDiscoveryResponse to answer it; resources stay bytes. */
export interface DeltaResponseOutline {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly names: readonly string[];
  readonly removedNames: readonly string[];
}

/** Every field of the messages read here is length-delimited. */
export function deltaResponse(bytes: Buffer): DeltaResponseOutline {
  let typeUrl = '';
  let nonce = '';
  const names: string[] = [];
  const removedNames: string[] = [];
  eachField(bytes, (field, start, end) => {
    if (field === 2)
      eachField(bytes.subarray(start, end), (inner, from, to) => {
        if (inner === 3) names.push(bytes.toString('utf8', start + from, start + to));
      });
    else if (field === 4) typeUrl = bytes.toString('latin1', start, end);
    else if (field === 5) nonce = bytes.toString('latin1', start, end);
    else if (field === 6) removedNames.push(bytes.toString('utf8', start, end));
  });
  return { typeUrl, nonce, names, removedNames };
}

function eachField(bytes: Buffer, visit: (field: number, start: number, end: number) => void): void {
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    at += 1;
    let length = 0;
    let shift = 0;
    for (;;) {
      const byte = bytes[at] ?? 0;
      at += 1;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      shift += 7;
    }
    visit(tag >> 3, at, at + length);
    at += length;
  }
}
