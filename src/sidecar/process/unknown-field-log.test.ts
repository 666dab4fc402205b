import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../../resource/type-url.ts';
import { Logs } from '../../telemetry/log/log.ts';
import { UnknownFieldLog } from './unknown-field-log.ts';

function messageWith(...fields: readonly number[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const field of fields) writer.uint32(field << 3).uint32(1);
  return writer.finish();
}

test('a field is told of once, by the first resource that has it', () => {
  const told: unknown[] = [];
  const log = new Logs({ level: 'silent', format: 'json' }).root;
  log.warn = (facts: object) => void told.push({ ...facts });
  const unknown = new UnknownFieldLog(log);
  unknown.look(CLUSTER_TYPE, 'a', messageWith(7777));
  unknown.look(CLUSTER_TYPE, 'b', messageWith(7777, 7778));
  unknown.look(LISTENER_TYPE, 'c', messageWith(7777));
  unknown.look(CLUSTER_TYPE, 'd', messageWith(7778));
  expect(told).toEqual([
    { typeUrl: CLUSTER_TYPE, name: 'a', fields: ['#7777'] },
    { typeUrl: CLUSTER_TYPE, name: 'b', fields: ['#7778'] },
    { typeUrl: LISTENER_TYPE, name: 'c', fields: ['#7777'] },
  ]);
});
