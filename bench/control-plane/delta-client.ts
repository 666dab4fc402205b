import { connect, type Socket } from 'node:net';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../../src/resource/type-url.ts';
import { encodeFields, type WireField } from '../../src/xds/xds.ts';
import { deltaResponse } from './delta-response.ts';

/**
 * One delta ADS stream over HTTP/2 written by hand: it reads what it must, answers every response, and follows references as a sidecar
 * does. A gRPC library costs its process so much more than the server that a thousand of them would measure themselves.
 */
export interface DeltaClientEvents {
  /** Everything that was named has come, for the first time since the client connected. */
  onSettled(): void;
  /** A response with endpoints has been answered. */
  onEndpoints(names: readonly string[]): void;
  onLost(reason: string): void;
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const FRAME_HEAD = 9;
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const ACK = 1;
const END_HEADERS = 4;
const END_STREAM = 1;
const STREAM = 1;
const GRPC_HEAD = 5;
const HUGE_WINDOW = 0x3fffffff;

/** Literal fields without indexing, names from HPACK's static table where it has them: nothing to keep a table for. */
const REQUEST_HEAD = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  literal(Buffer.from([0x04]), PATH),
  literal(Buffer.from([0x01]), 'bench'),
  literal(Buffer.from([0x0f, 0x10]), 'application/grpc'),
  literal(Buffer.concat([Buffer.from([0x00]), lengthPrefixed('te')]), 'trailers'),
]);

const OPENING = Buffer.concat([
  Buffer.from(PREFACE),
  frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x3f, 0xff, 0xff, 0xff])),
  frame(WINDOW_UPDATE, 0, 0, uint32(HUGE_WINDOW)),
  frame(HEADERS, END_HEADERS, STREAM, REQUEST_HEAD),
]);

/** All clients read into it: what is not whole is copied out before the next one reads. */
const READ_BUFFER = Buffer.alloc(64 * 1024);

export class DeltaClient {
  readonly #socket: Socket;
  readonly #events: DeltaClientEvents;
  /** Names asked for and not yet answered, by type. */
  readonly #awaited = new Map<string, Set<string>>();
  readonly #answeredTypes = new Set<string>();
  #buffered: Buffer = Buffer.alloc(0);
  #message: Buffer = Buffer.alloc(0);
  #isSettled = false;
  #isClosed = false;
  receivedBytes = 0;

  constructor(port: number, nodeId: string, events: DeltaClientEvents) {
    this.#events = events;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (count) => {
          this.#read(READ_BUFFER.subarray(0, count));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.#lost(error.message));
    this.#socket.on('close', () => this.#lost('closed'));
    this.#socket.write(OPENING);
    const node = encodeFields([
      { field: 1, value: nodeId },
      { field: 6, value: 'bench' },
    ]);
    this.#request([
      { field: 1, value: node },
      { field: 2, value: CLUSTER_TYPE },
    ]);
    this.#request([{ field: 2, value: LISTENER_TYPE }]);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #lost(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.onLost(reason);
  }

  #read(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    this.#buffered = this.#buffered.length === 0 ? bytes : Buffer.concat([this.#buffered, bytes]);
    let at = 0;
    while (this.#buffered.length - at >= FRAME_HEAD) {
      const length = this.#buffered.readUIntBE(at, 3);
      if (this.#buffered.length - at < FRAME_HEAD + length) break;
      const payload = this.#buffered.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length);
      this.#frame(this.#buffered[at + 3] ?? 0, this.#buffered[at + 4] ?? 0, payload);
      at += FRAME_HEAD + length;
    }
    this.#buffered = Buffer.from(this.#buffered.subarray(at));
  }

  #frame(type: number, flags: number, payload: Buffer): void {
    if (type === DATA) this.#body(payload);
    else if (type === SETTINGS && (flags & ACK) === 0) this.#socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    else if (type === PING && (flags & ACK) === 0) this.#socket.write(frame(PING, ACK, 0, payload));
    else if (type === RST_STREAM || type === GOAWAY) this.#lost(`frame of type ${type}`);
    else if (type === HEADERS && (flags & END_STREAM) !== 0) this.#lost('the server ended the stream');
  }

  #body(bytes: Buffer): void {
    this.#message = this.#message.length === 0 ? bytes : Buffer.concat([this.#message, bytes]);
    while (this.#message.length >= GRPC_HEAD) {
      const end = GRPC_HEAD + this.#message.readUInt32BE(1);
      if (this.#message.length < end) break;
      this.#response(this.#message.subarray(GRPC_HEAD, end));
      this.#message = this.#message.subarray(end);
    }
    this.#message = Buffer.from(this.#message);
  }

  #response(bytes: Buffer): void {
    const { typeUrl, nonce, names, removedNames } = deltaResponse(bytes);
    this.#request([
      { field: 2, value: typeUrl },
      { field: 6, value: nonce },
    ]);
    const awaited = this.#awaited.get(typeUrl);
    for (const name of names) awaited?.delete(name);
    for (const name of removedNames) awaited?.delete(name);
    const isFirst = !this.#answeredTypes.has(typeUrl);
    this.#answeredTypes.add(typeUrl);
    if (isFirst && typeUrl === CLUSTER_TYPE) this.#ask(CLUSTER_LOAD_ASSIGNMENT_TYPE, names.filter(isUpstreamCluster));
    if (isFirst && typeUrl === LISTENER_TYPE) this.#ask(ROUTE_CONFIGURATION_TYPE, names.flatMap(routesOfListener));
    if (typeUrl === CLUSTER_LOAD_ASSIGNMENT_TYPE) this.#events.onEndpoints(names);
    if (
      !this.#isSettled &&
      this.#answeredTypes.size === 4 &&
      [...this.#awaited.values()].every(({ size }) => size === 0)
    ) {
      this.#isSettled = true;
      this.#events.onSettled();
    }
  }

  #ask(typeUrl: string, names: readonly string[]): void {
    this.#awaited.set(typeUrl, new Set(names));
    this.#request([{ field: 2, value: typeUrl }, ...names.map((name): WireField => ({ field: 3, value: name }))]);
  }

  #request(fields: readonly WireField[]): void {
    const message = encodeFields(fields);
    const head = Buffer.alloc(FRAME_HEAD + GRPC_HEAD);
    head.writeUIntBE(GRPC_HEAD + message.length, 0, 3);
    head.writeUInt32BE(STREAM, 5);
    head.writeUInt32BE(message.length, FRAME_HEAD + 1);
    this.#socket.write(Buffer.concat([head, message]));
  }
}

function isUpstreamCluster(name: string): boolean {
  return name.includes('.internal.');
}

/** Outbound listeners are called `<upstream>:127.0.0.1:<port>`, their routes `<upstream>`. */
function routesOfListener(name: string): readonly string[] {
  const upstream = /^(s\d+):127\.0\.0\.1:\d+$/.exec(name)?.[1];
  return upstream === undefined ? [] : [upstream];
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

function literal(name: Buffer, value: string): Buffer {
  return Buffer.concat([name, lengthPrefixed(value)]);
}

/** HPACK string without Huffman coding; all of ours are shorter than 127. */
function lengthPrefixed(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
