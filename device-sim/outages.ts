// Does to a device's connection what a fault says.
import type { Clock } from '../lib/clock.ts'
import type { Connections } from './connections.ts'
import type { Session } from './drivers/driver.ts'
import type { LinkFault } from './faults.ts'

interface Struck {
  readonly connections: Connections
  readonly reboot: (device: number) => void
  readonly clock: Clock
  readonly signal: AbortSignal
}

const flapMs = 100

/** Returns at once; what takes time ends early when the signal aborts. */
export function strike(fault: LinkFault, device: number, { connections, reboot, clock, signal }: Struck): void {
  switch (fault.kind) {
    case 'cut':
    case 'disconnect':
      connections.end(device, { clean: fault.kind === 'disconnect', awayMs: fault.away })
      break
    case 'reboot':
      reboot(device)
      connections.end(device, { clean: false, awayMs: fault.away })
      break
    case 'flap':
      void flap(fault.times, () => connections.end(device, { clean: false, awayMs: flapMs }), clock, signal)
      break
    case 'slow':
      void readSlowly(connections.session(device), clock.sleep(fault.for, signal))
      break
  }
}

async function flap(times: number, end: () => void, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let i = 0; i < times && !signal.aborted; i++) {
    end()
    await clock.sleep(3 * flapMs, signal).catch(() => undefined)
  }
}

async function readSlowly(session: Session | undefined, over: Promise<void>): Promise<void> {
  session?.pause?.(true)
  await over.catch(() => undefined)
  session?.pause?.(false)
}
