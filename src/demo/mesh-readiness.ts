/** Is the mesh up? Asked of each part in the order in which they depend on one another. */
import type { MeshPlan, PlannedSidecar } from './plan.ts';
import { askConsul } from './registration.ts';

const ASK_TIMEOUT_MS = 2_000;

export async function registryMissing(plan: MeshPlan): Promise<string | undefined> {
  const leader = await askConsul(plan.registryUrl, 'GET', '/v1/status/leader');
  return typeof leader === 'string' && leader !== '' ? undefined : 'a leader';
}

export async function controlMissing(plan: MeshPlan): Promise<string | undefined> {
  const response = await ask(`http://127.0.0.1:${plan.ports.console}/ready`);
  return response.ok ? undefined : `the control server answers ${response.status}`;
}

/** Every instance in the catalog with passing checks of its own. */
export async function servicesMissing(plan: MeshPlan): Promise<string | undefined> {
  const wanted = new Map<string, number>();
  for (const { spec } of plan.instances) wanted.set(spec.name, spec.instances);
  const missing = await Promise.all(
    [...wanted].map(async ([name, count]) => {
      const found = await askConsul(plan.registryUrl, 'GET', `/v1/health/service/${encodeURIComponent(name)}?passing`);
      const passing = Array.isArray(found) ? found.length : 0;
      return passing >= count ? [] : [`${name} (${passing} of ${count} pass)`];
    }),
  );
  return sentence(missing.flat());
}

export async function sidecarsMissing(sidecars: readonly PlannedSidecar[]): Promise<string | undefined> {
  const missing = await Promise.all(
    sidecars.map(async ({ proxyId, adminPort }) => {
      const ready = await ask(`http://127.0.0.1:${adminPort}/ready`).then(
        (response) => response.ok,
        () => false,
      );
      return ready ? [] : [proxyId];
    }),
  );
  return sentence(missing.flat());
}

async function ask(url: string): Promise<{ readonly ok: boolean; readonly status: number }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
  await response.arrayBuffer();
  return { ok: response.ok, status: response.status };
}

function sentence(missing: readonly string[]): string | undefined {
  return missing.length === 0 ? undefined : missing.join(', ');
}
