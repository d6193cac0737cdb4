// Where a run's readings come from: models that live through a scenario, with what goes wrong with them.
import type { Slice } from './device.ts'
import { createDevices } from './device.ts'
import type { DeviceFaults, FaultKind, LinkFault, Outgoing } from './faults.ts'
import { createTimeAxis, type Herd, herdsOf, lengthOf } from './phases.ts'
import type { Numbered } from './reading.ts'
import type { Scenario } from './scenario.ts'
import { createPlan, type Plan, type Planned } from './schedule.ts'

/** Devices are told by their index here. Times are milliseconds after the start of the run. */
export interface Source {
  readonly clientIds: readonly string[]
  readonly plan: Plan
  /** What goes out for the plan's tick, in order. */
  take(device: number, at: number, told: (kind: FaultKind) => void): readonly Outgoing[]
  /** What a device held back and must now let go. */
  rest(device: number): readonly Outgoing[]
  readonly links: readonly (Planned & { readonly device: number; readonly fault: LinkFault })[]
  readonly herds: readonly Herd[]
  readonly durationMs?: number
  reboot(device: number): void
  /** From the device's next reading on. */
  changeInterval?(device: number, ms: number): void
  /** Where a device listens for commands, if it does. */
  commands?(device: number): string | undefined
}

export function createModelSource(scenario: Scenario, seed: string | number, startAt: number, slice?: Slice): Source {
  const devices = createDevices(scenario, seed, startAt, slice)
  const durationMs = durationOf(scenario)
  return {
    clientIds: devices.map(({ id }) => id),
    plan: createPlan(devices, { endMs: durationMs, count: scenario.count, axis: createTimeAxis(scenario.phases) }),
    take(number, at, told) {
      const { faults, take } = devices[number]!
      const readings = take(startAt + at)
      return faults ? readings.flatMap((reading) => faults.alter(reading, told)) : readings.map(untouched)
    },
    rest: (number) => devices[number]!.faults?.rest() ?? [],
    links: devices.flatMap(({ faults }, device) => linksOf(faults).map((link) => ({ ...link, device }))),
    herds: herdsOf(scenario.phases),
    ...(durationMs === undefined ? {} : { durationMs }),
    reboot: (number) => devices[number]!.reboot(),
    changeInterval: (number, ms) => devices[number]!.changeInterval(ms),
    commands: (number) => devices[number]!.commands,
  }
}

/** The scenario's own, or that of its phases. */
export function durationOf({ duration, phases, count }: Scenario): number | undefined {
  return duration ?? (phases.length && count === undefined ? lengthOf(phases) : undefined)
}

function untouched(reading: Numbered): Outgoing {
  return { reading, delayMs: 0 }
}

function linksOf(faults: DeviceFaults | undefined): DeviceFaults['links'] {
  return faults?.links ?? []
}
