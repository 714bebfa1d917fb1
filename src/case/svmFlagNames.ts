/** The flags of the SVM attribute call, by the names that cases use. */

export const svmFlagNames = [
  'host_access',
  'gpu_exec',
  'coherent',
  'hive_local',
  'gpu_ro',
  'gpu_read_mostly',
  'gpu_always_mapped',
  'ext_coherent',
] as const;
