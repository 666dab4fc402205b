const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** HTML that has been escaped where it had to be; only {@link html} makes it. */
export class SafeHtml {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Hole = string | number | undefined | SafeHtml | readonly SafeHtml[];

/** A template whose holes are escaped, unless they are HTML made by this function. */
export function html(parts: TemplateStringsArray, ...holes: readonly Hole[]): SafeHtml {
  return new SafeHtml(parts.map((part, at) => part + (at < holes.length ? fill(holes[at]) : '')).join(''));
}

function fill(hole: Hole): string {
  if (hole === undefined) return '';
  if (hole instanceof SafeHtml) return hole.text;
  if (typeof hole === 'object') return hole.map(({ text }) => text).join('');
  return String(hole).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}
