import type { AdminPath } from './admin-paths.ts';
import { type Answer, textAnswer } from './answer.ts';

/** `/help`: one line per path. */
export function helpAnswer(paths: readonly AdminPath[], status = 200): Answer {
  const lines = paths.map(({ path, method, help }) => `  ${path}${method === 'POST' ? ' (POST)' : ''}: ${help}\n`);
  return textAnswer(`admin commands are:\n  /: this list as a page\n${lines.join('')}`, status);
}

/** `/`: the same for people; what changes something is a button. */
export function indexAnswer(paths: readonly AdminPath[], title: string): Answer {
  const rows = paths.map(({ path, method, help }) => {
    const target = escapeHtml(path);
    const control =
      method === 'GET'
        ? `<a href="${target}">${target}</a>`
        : `<form method="post" action="${target}"><button>${target}</button></form>`;
    return `<tr><td>${control}</td><td>${escapeHtml(help)}</td></tr>\n`;
  });
  const name = escapeHtml(title);
  const body = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${name}</title>
<style>body{font:14px sans-serif;margin:2em}td{padding:.2em 1em .2em 0}form{margin:0}</style></head>
<body><h1>${name}</h1><table>
${rows.join('')}</table></body></html>
`;
  return { status: 200, contentType: 'text/html; charset=utf-8', body };
}

/** Text that may stand in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
