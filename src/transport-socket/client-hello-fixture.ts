/** Tests: the bytes of a ClientHello, with whatever is to be wrong about it. */
export interface HelloShape {
  readonly serverName?: string;
  readonly applicationProtocols?: readonly string[];
  readonly versions?: readonly number[];
  /** Extensions as they are, after the named ones. */
  readonly extensions?: readonly Buffer[];
  /** Bytes of handshake message in each record. */
  readonly recordBytes?: number;
  readonly sessionIdBytes?: number;
  /** Bytes of an extension nobody knows: to make a hello long. */
  readonly paddingBytes?: number;
  readonly messageType?: number;
}

export function clientHelloBytes(shape: HelloShape = {}): Buffer {
  const extensions = [...namedExtensions(shape), ...(shape.extensions ?? [])];
  if (shape.paddingBytes !== undefined) extensions.push(extension(21, Buffer.alloc(shape.paddingBytes)));
  const body = Buffer.concat([
    uint16(0x0303),
    Buffer.alloc(32, 7),
    prefixed(1, Buffer.alloc(shape.sessionIdBytes ?? 32, 1)),
    prefixed(2, Buffer.from([0x13, 0x01, 0x13, 0x02])),
    prefixed(1, Buffer.from([0])),
    prefixed(2, Buffer.concat(extensions)),
  ]);
  const message = Buffer.concat([Buffer.from([shape.messageType ?? 1]), uintBytes(3, body.length), body]);
  return inRecords(message, shape.recordBytes ?? 16_384);
}

/** server_name holding exactly these bytes as its one name. */
export function serverNameExtension(name: Buffer, type = 0): Buffer {
  return extension(0, prefixed(2, Buffer.concat([Buffer.from([type]), prefixed(2, name)])));
}

export function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([uint16(type), prefixed(2, content)]);
}

/** Bytes with their count in front. */
export function prefixed(countBytes: number, bytes: Buffer): Buffer {
  return Buffer.concat([uintBytes(countBytes, bytes.length), bytes]);
}

function namedExtensions(shape: HelloShape): Buffer[] {
  const extensions: Buffer[] = [extension(10, Buffer.from([0, 2, 0, 29]))];
  if (shape.serverName !== undefined) extensions.push(serverNameExtension(Buffer.from(shape.serverName, 'latin1')));
  if (shape.applicationProtocols !== undefined) {
    const names = shape.applicationProtocols.map((name) => prefixed(1, Buffer.from(name, 'latin1')));
    extensions.push(extension(16, prefixed(2, Buffer.concat(names))));
  }
  if (shape.versions !== undefined)
    extensions.push(extension(43, prefixed(1, Buffer.concat(shape.versions.map(uint16)))));
  return extensions;
}

function inRecords(message: Buffer, recordBytes: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += recordBytes) {
    records.push(Buffer.from([22, 3, 1]), prefixed(2, message.subarray(at, at + recordBytes)));
  }
  return Buffer.concat(records);
}

function uint16(value: number): Buffer {
  return uintBytes(2, value);
}

function uintBytes(bytes: number, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}
