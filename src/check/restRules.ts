/** The invariants that are looked at whenever the machine is at rest, in every run, whichever are watched step by step. */

export const restRules: readonly string[] = [
  ...['M1', 'M2', 'M3', 'M4', 'M5', 'M7', 'M9', 'M11'],
  ...['D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7'],
  ...['S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7'],
  ...['I1', 'I4', 'E2', 'R1', 'R2', 'R3', 'R4', 'R5', 'R6'],
  ...['G1', 'G3', 'G4', 'G7'],
];
