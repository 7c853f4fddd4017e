/** How a training process, or a pod that was started for one job, ends: an interface that Kubernetes' podFailurePolicy reads. */
export const EXIT = {
  done: 0,
  /** Trying again cannot help: bad settings or data, a loss that is not finite. */
  permanent: 42,
  /** Another attempt may go well. */
  temporary: 75,
  /** Gave its work back after a snapshot. */
  drained: 143,
} as const;
