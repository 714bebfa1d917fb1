/** The JSON document of a run as a report needs it: what other programs or hands have made of it is looked at before it is believed. */

import { z } from 'zod';

const counters = z.record(z.string(), z.number());

const times = z.object({
  meanNs: z.number(),
  p50Ns: z.number(),
  p90Ns: z.number(),
  p99Ns: z.number(),
  maxNs: z.number(),
});

const latency = z.object({ count: z.number(), wall: times.optional(), simulated: times.optional() });

const plain = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const isEmpty = z.literal(true).optional();

const check = z.object({ name: z.string(), ok: z.boolean(), detail: z.string(), isEmpty });

export const runDocumentSchema = z.object({
  svmsim: z.string(),
  command: z.enum(['run', 'stress']),
  scenario: z.string(),
  executor: z.enum(['virtual', 'threads']),
  seed: z.number(),
  partial: z.boolean(),
  outcome: z.enum(['completed', 'time-up', 'interrupted', 'failed']),
  environment: z.record(z.string(), plain),
  configuration: z.record(
    z.string(),
    z.union([plain, z.array(z.unknown()), z.record(z.string(), z.unknown())]),
  ),
  checks: z.array(check),
  counters,
  retries: counters,
  invalidationLatency: latency,
  devices: z.array(z.object({ device: z.number(), counters, faultLatency: latency })),
  results: z.array(
    z.object({ workload: z.string(), ok: z.boolean(), detail: z.string(), counts: counters, isEmpty }),
  ),
  failure: z
    .object({
      isVerdict: z.boolean(),
      actor: z.string(),
      message: z.string(),
      lastSteps: z.array(z.string()),
      waits: z.array(z.string()),
    })
    .nullable(),
  verifications: z.number(),
  steps: z.number(),
  time: z.object({ wallNs: z.number(), simulatedNs: z.number() }),
});

export type RunDocument = z.infer<typeof runDocumentSchema>;
export type DocumentLatency = z.infer<typeof latency>;
