/** One file that a browser opens without any other: markup, styles, script and data. */

import { createHash } from 'node:crypto';
import type { PageAssets } from './pageAssets.js';
import type { ReportData } from './reportData.js';

/** Nothing is loaded, and no script runs but the one that is named here, whatever the data are. */
export function htmlPage(data: ReportData, { script, styles }: PageAssets): string {
  // The end of the element must not stand in the script.
  const code = script.replaceAll('</script', '<\\/script');
  const digest = createHash('sha256').update(code).digest('base64');
  const policy = `default-src 'none'; script-src 'sha256-${digest}'; style-src 'unsafe-inline'; img-src data: blob:`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<title>${escaped(data.title)}</title>`,
    `<style>${styles.replaceAll('</style', '<\\/style')}</style>`,
    '</head>',
    '<body>',
    '<noscript>This report is drawn by its own script, which the browser does not run.</noscript>',
    `<script type="application/json" id="data">${jsonForHtml(data)}</script>`,
    `<script>${code}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

/** JSON in which no text can end the element that it stands in. */
export function jsonForHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
