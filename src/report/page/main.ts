/** The script of a report: takes the data out of the page and builds all sections. */

import 'uplot/dist/uPlot.min.css';
import './report.css';
import type { ReportData } from '../html/reportData.js';
import { drawCharts } from './chart.js';
import { changeSection, deviceSection } from './deviceSection.js';
import { button, h } from './dom.js';
import { failureSections } from './failureSection.js';
import { latencySection } from './latencySection.js';
import { phaseSection } from './phaseSection.js';
import { drawResidency, residencySection } from './residencySection.js';
import type { Section } from './section.js';
import { summarySection } from './summarySection.js';
import { startTheme, toggleTheme } from './theme.js';
import { timeSection } from './timeSection.js';
import { trafficSection } from './trafficSection.js';
import { lockSection, retrySection } from './waitSection.js';

function sectionsOf({ runs, failure }: ReportData): Section[] {
  if (failure !== null) return failureSections(failure);
  return [
    summarySection(runs),
    ...(runs.length > 1 ? [changeSection(runs[0], runs[1])] : []),
    deviceSection(runs),
    trafficSection(runs),
    residencySection(runs),
    latencySection(runs),
    phaseSection(runs),
    timeSection(runs),
    lockSection(runs),
    retrySection(runs),
  ];
}

function build(data: ReportData): void {
  const sections = sectionsOf(data);
  const links = sections.map(({ id, title }) => h('a', { href: `#${id}` }, title));
  const header = h(
    'header',
    {},
    h('div', { class: 'bar-top' }, h('h1', {}, data.title), button('◐', 'light or dark', toggleTheme)),
    h('nav', { 'aria-label': 'Sections' }, ...links),
  );
  const main = h(
    'main',
    {},
    ...sections.map(({ id, title, intro, body }) =>
      h(
        'section',
        { id },
        h('h2', {}, title),
        intro === null ? null : h('p', { class: 'intro' }, intro),
        ...body,
      ),
    ),
  );
  const footer = h(
    'footer',
    {},
    `Made by svmsim ${data.svmsim}. "wall" is time on the machine that ran it, "simulated" is time by the cost model.`,
  );
  document.body.replaceChildren(
    h('a', { class: 'skip', href: '#summary' }, 'Skip to the summary'),
    header,
    main,
    footer,
  );
  drawCharts();
  drawResidency();
}

const source = document.getElementById('data');
if (source === null) throw new Error('the page has no data');
startTheme();
build(JSON.parse(source.textContent ?? '') as ReportData);
document.documentElement.dataset.ready = 'yes';
