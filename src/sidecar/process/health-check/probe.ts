import { request } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { createConnection } from 'node:net';
import { type Address, addressText } from '../../../resource/address.ts';
import type { HealthCheck } from '../../../resource/cluster.ts';

/** Resolves when the host is well; rejects with the reason where it is not, or did not say so in time. */
export type Probe = (address: Address, check: HealthCheck) => Promise<void>;

/** Bytes of an answer that are read; more ends the check as failed. */
const MAX_ANSWER_BYTES = 4096;
/** grpc.health.v1.HealthCheckResponse.SERVING, field 1, as it is encoded. */
const SERVING = Buffer.from([0x08, 0x01]);

export const probe: Probe = (address, check) => {
  switch (check.checker.kind) {
    case 'tcp':
      return probeTcp(address, check.timeoutMs);
    case 'http':
      return probeHttp(address, check.timeoutMs, check.checker);
    case 'grpc':
      return probeGrpc(address, check.timeoutMs, check.checker.serviceName);
  }
};

function probeTcp(address: Address, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketOptions(address));
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
): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...(address.kind === 'ip' ? { host: address.host, port: address.port } : { socketPath: address.path }),
        path: checker.path,
        headers: { host: checker.host === '' ? addressText(address) : checker.host, 'user-agent': 'weft-health-check' },
        agent: false,
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
function probeGrpc(address: Address, timeoutMs: number, serviceName: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2('http://health-check', {
      createConnection: () => createConnection(socketOptions(address)),
    });
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
