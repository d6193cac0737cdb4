// Whether the fleet that is planned fits the quotas of an account.
import { formatDuration } from '../../../lib/units.ts'
import { quotas } from '../../access/quotas.ts'
import { type Margin, marginsOf, usualConnectsPerSecond } from '../../plan/quotas.ts'
import type { CheckTable } from '../check.ts'
import type { Estate } from '../estate.ts'

const file = 'fleet'
/** Beyond it, a bad day does not fit any more. */
const tight = 0.8

const margins = ({ fleet, region }: Estate): readonly Margin[] => (fleet ? marginsOf(fleet, region) : [])
const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 1 })

const found = ({ name, means, used, limit, unit, per, adjustable }: Margin) => ({
  file,
  field: name,
  text: `${means}: ${number(used)} of ${number(limit)} ${unit} for each ${per}${adjustable ? '; AWS raises it on request' : ''}`,
})

export const fleetChecks = {
  'fleet-over-quota': {
    severity: 'error',
    means: 'a fleet beyond a quota of AWS',
    fix: 'ask AWS to raise the quota where it can be raised, or send less: longer intervals, packed readings, smaller payloads',
    find: (estate) =>
      margins(estate)
        .filter(({ share }) => share > 1)
        .map(found),
  },
  'fleet-headroom': {
    severity: 'warning',
    means: 'a fleet above four fifths of a quota: retries and reconnects after an outage have no room',
    fix: 'ask AWS to raise the quota before the fleet grows',
    find: (estate) =>
      margins(estate)
        .filter(({ share }) => share > tight && share <= 1)
        .map(found),
  },
  'fleet-reconnect': {
    severity: 'note',
    means: `a fleet that is not connected again within a minute of an outage, at ${usualConnectsPerSecond} CONNECTs a second`,
    fix: 'let devices wait a random time before they connect again, longer with each try; weir plan says how long it takes',
    *find({ fleet }) {
      const seconds = (fleet?.devices ?? 0) / usualConnectsPerSecond
      if (seconds > 60) yield { file, field: 'devices', text: `connecting all of them again takes ${formatDuration(seconds * 1_000)}` }
    },
  },
  'fleet-keep-alive': {
    severity: 'warning',
    means: 'a keep-alive AWS changes: below 30 s it is raised, 0 and above 1200 s become 1200 s',
    fix: 'choose 30 to 1200 seconds',
    *find({ fleet }) {
      const { minKeepAliveSeconds: least, maxKeepAliveSeconds: most } = quotas
      if (fleet && (fleet.keepAliveSeconds < least.value || fleet.keepAliveSeconds > most.value))
        yield { file, field: 'keepAliveSeconds', text: `a keep-alive of ${fleet.keepAliveSeconds} s is not kept` }
    },
  },
} as const satisfies CheckTable
