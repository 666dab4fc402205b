/** Something an operator should mend: never thrown, always listed, always naming the thing and the fix. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** The Consul thing at fault: `service-router/web (ModifyIndex 42)`, `proxy web-1-sidecar-proxy: upstream api`. */
  readonly where: string;
  readonly message: string;
}

export const errorAt = (where: string, message: string): Problem => ({ severity: 'error', where, message });
export const warningAt = (where: string, message: string): Problem => ({ severity: 'warning', where, message });
