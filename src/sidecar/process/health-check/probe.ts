import { request } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { createConnection, type Socket } from 'node:net';
import { type Address, addressText } from '../../../resource/address.ts';
import type { HealthCheck } from '../../../resource/cluster.ts';
import { alpnBytes, verifiedConnection } from '../../../transport-socket/transport-socket.ts';
import type { PoolTls } from '../../pool/pool.ts';

/** Resolves when the host is well; rejects with the reason where it is not, or did not say so in time. */
export type Probe = (address: Address, check: HealthCheck, tls?: PoolTls) => Promise<void>;

/** Bytes of an answer that are read; more ends the check as failed. */
const MAX_ANSWER_BYTES = 4096;
/** grpc.health.v1.HealthCheckResponse.SERVING, field 1, as it is encoded. */
const SERVING = Buffer.from([0x08, 0x01]);

/** Within the check's time all in all: over TLS, what the handshake has taken is gone. */
export const probe: Probe = async (address, check, tls) => {
  const startedAtMs = performance.now();
  const socket = tls === undefined ? undefined : await secured(address, check, tls);
  const timeoutMs = Math.max(1, check.timeoutMs - (performance.now() - startedAtMs));
  try {
    await probeOver(address, check, timeoutMs, () => socket ?? createConnection(socketOptions(address)));
  } finally {
    socket?.destroy();
  }
};

function probeOver(address: Address, check: HealthCheck, timeoutMs: number, connect: () => Socket): Promise<void> {
  switch (check.checker.kind) {
    case 'tcp':
      return probeTcp(connect(), timeoutMs);
    case 'http':
      return probeHttp(address, timeoutMs, check.checker, connect);
    case 'grpc':
      return probeGrpc(timeoutMs, check.checker.serviceName, connect);
  }
}

const ALPN = { http: alpnBytes(['http/1.1']), grpc: alpnBytes(['h2']) };

/** A check speaks one protocol, whatever the cluster's connections may choose from. */
function secured(address: Address, { checker, timeoutMs }: HealthCheck, tls: PoolTls): Promise<Socket> {
  const compiled = tls.context.current();
  if (compiled === undefined) return Promise.reject(new Error(`TLS ${tls.context.problem}`));
  const alpn = checker.kind === 'tcp' ? tls.alpn : ALPN[checker.kind];
  return verifiedConnection({ address, compiled, alpn, sni: tls.sni, timeoutMs });
}

function probeTcp(socket: Socket, timeoutMs: number): Promise<void> {
  // A handshake that is over says more than a connection.
  if (!socket.connecting) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error('no connection in time')), timeoutMs);
    socket.once('connect', () => {
      resolve();
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => clearTimeout(timer));
  });
}

function probeHttp(
  address: Address,
  timeoutMs: number,
  checker: Extract<HealthCheck['checker'], { kind: 'http' }>,
  connect: () => Socket,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        createConnection: connect,
        path: checker.path,
        headers: { host: checker.host === '' ? addressText(address) : checker.host, 'user-agent': 'weft-health-check' },
      },
      (answer) => {
        const status = answer.statusCode ?? 0;
        let received = 0;
        answer.on('data', (chunk: Buffer) => {
          received += chunk.length;
          if (received > MAX_ANSWER_BYTES) outgoing.destroy();
        });
        const expected = checker.expectedStatuses.some(([first, end]) => status >= first && status < end);
        if (expected) resolve();
        else reject(new Error(`answered ${status}`));
      },
    );
    const timer = setTimeout(() => outgoing.destroy(new Error('no answer in time')), timeoutMs);
    outgoing.once('error', reject);
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.end();
  });
}

/** grpc.health.v1.Health/Check over HTTP/2 with prior knowledge: one message each way. */
function probeGrpc(timeoutMs: number, serviceName: string, connect: () => Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2('http://health-check', { createConnection: connect });
    const timer = setTimeout(() => finish(new Error('no answer in time')), timeoutMs);
    const finish = (error: Error | undefined): void => {
      clearTimeout(timer);
      session.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    session.once('error', finish);
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      te: 'trailers',
    });
    let body = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk.subarray(0, MAX_ANSWER_BYTES - body.length)]);
    });
    stream.once('error', finish);
    stream.once('end', () => finish(body.subarray(5).equals(SERVING) ? undefined : new Error('is not SERVING')));
    const name = Buffer.from(serviceName);
    const message = serviceName === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  });
}

function socketOptions(address: Address): { host: string; port: number } | { path: string } {
  return address.kind === 'ip' ? { host: address.host, port: address.port } : { path: address.path };
}
