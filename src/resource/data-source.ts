/** envoy.config.core.v3.DataSource: text that came with the resource, or a file that is read (again whenever it changes). */
export type DataSource =
  | { readonly kind: 'inline'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string };
