/** The config entries the demo writes, and how it leaves a Consul that is not its own as it found it. */
import { askConsul } from './registration.ts';

export interface WrittenConfig {
  /** Takes back what was written and is still as written. */
  remove(): Promise<void>;
}

const SAMPLING_KEY = 'weft_trace_sampling_percent';

/**
 * HTTP as the protocol of the demo's services (each by its own service-defaults), and tracing of every request in proxy-defaults
 * where nobody has set proxy-defaults before.
 */
export async function writeMeshConfig(registryUrl: string, services: readonly string[]): Promise<WrittenConfig> {
  const written: string[] = [];
  // cas=0: only where there is none; what a user has set stands.
  const putNew = async (kind: string, name: string, fields: object): Promise<void> => {
    const created = await askConsul(registryUrl, 'PUT', '/v1/config?cas=0', { Kind: kind, Name: name, ...fields });
    if (created === true) written.push(`/v1/config/${kind}/${encodeURIComponent(name)}`);
  };
  await putNew('proxy-defaults', 'global', { Config: { protocol: 'http', [SAMPLING_KEY]: 100 } });
  for (const name of services) await putNew('service-defaults', name, { Protocol: 'http' });
  return {
    async remove() {
      for (const path of written.reverse()) await askConsul(registryUrl, 'DELETE', path).catch(() => undefined);
    },
  };
}
