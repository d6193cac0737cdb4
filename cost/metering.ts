// How AWS turns sizes and hours into billed units: the rounding rules, apart from the prices.

/** Billed units of one message: rounded up to the increment, and never fewer than one. */
export function steps(bytes: number, incrementBytes: number): number {
  return Math.max(1, Math.ceil(bytes / incrementBytes))
}

export interface AlbLoad {
  readonly newConnectionsPerSecond: number
  readonly activeConnections: number
  readonly processedGBPerHour: number
  /** Of this, what goes to Lambda targets, where 0.4 GB make a unit. */
  readonly lambdaGBPerHour?: number
  /** Beyond the first ten rules. */
  readonly ruleEvaluationsPerSecond?: number
}

/** Load balancer capacity units of an ALB: the largest dimension; the two byte dimensions are added first. */
export function albUnits(load: AlbLoad): number {
  return Math.max(
    load.newConnectionsPerSecond / 25,
    load.activeConnections / 3_000,
    load.processedGBPerHour + (load.lambdaGBPerHour ?? 0) / 0.4,
    (load.ruleEvaluationsPerSecond ?? 0) / 1_000,
  )
}

export interface NlbLoad {
  readonly newPerSecond: number
  readonly active: number
  readonly gbPerHour: number
}

/** What one NLCU carries of each protocol. The active limit of TLS is recalled: one published module says 9,500. */
const nlbCapacity = {
  tcp: { newPerSecond: 800, active: 100_000, gbPerHour: 1 },
  udp: { newPerSecond: 400, active: 50_000, gbPerHour: 1 },
  tls: { newPerSecond: 50, active: 3_000, gbPerHour: 1 },
} as const satisfies Record<string, NlbLoad>

export type NlbProtocol = keyof typeof nlbCapacity

/** Network load balancer capacity units: the largest dimension of each protocol, summed over the protocols. */
export function nlbUnits(loads: Partial<Readonly<Record<NlbProtocol, NlbLoad>>>): number {
  const units = Object.entries(loads).map(([protocol, load]) => {
    const capacity = nlbCapacity[protocol as NlbProtocol]
    return Math.max(load.newPerSecond / capacity.newPerSecond, load.active / capacity.active, load.gbPerHour / capacity.gbPerHour)
  })
  return units.reduce((sum, one) => sum + one, 0)
}

/** GB-seconds of Lambda: each call is rounded up to the millisecond. */
export function lambdaGBSeconds(calls: number, memoryMB: number, durationMs: number): number {
  return (calls * Math.ceil(durationMs) * memoryMB) / 1_024 / 1_000
}

export const bytesPerGB = 1_024 ** 3
