/** What a report says of the JSON document of a run: what the document does not know, the report does not either. */

import { expect, it } from 'vitest';
import { runDocumentSchema } from '../../../src/report/html/runDocument.js';
import { summaryData } from '../../../src/report/html/summaryData.js';
import { runDocument } from '../../../src/report/json.js';
import { deviceReport, environment, runReport, simulationConfig } from '../fixtures.js';

it('copies are not known where the devices were not asked before the run failed', () => {
  const { svm_cpu_copy_kb: _, ...known } = deviceReport(0).counters;
  const report = runReport({ devices: [{ ...deviceReport(0), counters: known }] });
  const document = runDocument(report, { command: 'run', config: simulationConfig(), environment });
  const { columns, rows } = summaryData(runDocumentSchema.parse(document)).devices;
  const amountOf = (title: string): number | null =>
    rows[0].values[columns.findIndex((column) => column.title === title)];
  expect([amountOf('Copied RAM to VRAM'), amountOf('Copied VRAM to RAM')]).toEqual([8192 * 1024, null]);
});
