/**
 * Listeners: bind, accept, choose a filter chain, proxy TCP, drain. Knows sockets, the connection manager and the router's
 * upstreams. Does not know how configuration arrives, what a request means, or who balances.
 */
export type { ListenerState } from './bound-listener.ts';
export { BoundListener } from './bound-listener.ts';
export { type ListenerFault, ListenerSet, type ListenerSetOptions, type ListenerView } from './listener-set.ts';
export type { RuntimeConfig, RuntimeFilterChain, RuntimeListener } from './runtime-listener.ts';
