import type { Listener } from '../../resource/listener.ts';

/** Where a listener is, as records of its streams say it. */
export interface MutablePlace {
  name: string;
  direction: 'inbound' | 'outbound';
  host: string;
  port: number;
}

export function placeOf(listener: Listener): MutablePlace {
  const { name, address } = listener;
  const direction = directionOf(listener);
  return address.kind === 'ip'
    ? { name, direction, host: address.host, port: address.port }
    : { name, direction, host: address.path, port: 0 };
}

export function directionOf(listener: Listener): 'inbound' | 'outbound' {
  return listener.trafficDirection === 'inbound' ? 'inbound' : 'outbound';
}
