// What a mobile operator charges a device for the bytes on the wire, with the rounding that makes small messages dear.
import { divideRounded, parseUsd } from './money.ts'
import type { Confidence } from './price-book.ts'
import { keepAlivesPerMessage, type Wire } from './wire.ts'
import { messageIntervalMs, messagesPerMonth, type Workload } from './workload.ts'

export interface DataPlan {
  readonly title: string
  /** Undefined: no price was found, only the rule of counting. */
  readonly price:
    | { readonly simMonth: bigint; readonly perMB: bigint }
    | { readonly prepaid: bigint; readonly MB: number; readonly months: number }
    | undefined
  /** A session or record is rounded up to this many bytes, and counts at least `sessionBytes`. */
  readonly stepBytes: number
  readonly sessionBytes: number
  readonly confidence: Confidence
  readonly note: string
}

const byTheMegabyte = { simMonth: parseUsd('1'), perMB: parseUsd('0.03') }

/** A kB is 1,000 bytes here, as in the operators' texts. */
export const dataPlans = {
  'by-the-kB': {
    title: '1 USD a SIM and 0.03 a MB, by the kB (Hologram)',
    price: byTheMegabyte,
    stepBytes: 1_000,
    sessionBytes: 0,
    confidence: 'medium',
    note: 'one secondary source',
  },
  'prepaid-500MB': {
    title: '10 USD for 500 MB or ten years (1NCE)',
    price: { prepaid: parseUsd('10'), MB: 500, months: 120 },
    stepBytes: 1_000,
    sessionBytes: 0,
    confidence: 'recalled',
    note: 'counting verified (1 kB steps, both directions, protocol overhead included), price recalled',
  },
  'session-10kB': {
    title: 'a network that counts 10 kB a data session, at 0.03 a MB',
    price: byTheMegabyte,
    stepBytes: 1_000,
    sessionBytes: 10_000,
    confidence: 'medium',
    note: 'minimum verified, price borrowed from the first plan',
  },
  'session-25kB': {
    title: 'a network that counts 25 kB a data session, at 0.03 a MB',
    price: byTheMegabyte,
    stepBytes: 1_000,
    sessionBytes: 25_000,
    confidence: 'medium',
    note: 'minimum verified, price borrowed from the first plan',
  },
  'records-of-6h': {
    title: 'every session and six-hour record rounded up to 1 kB (Olivia)',
    price: undefined,
    stepBytes: 1_000,
    sessionBytes: 0,
    confidence: 'unknown',
    note: 'counting verified, price not found',
  },
} as const satisfies Record<string, DataPlan>

export type DataPlanName = keyof typeof dataPlans

export interface Airtime {
  /** Of one device in the month. */
  readonly wireBytes: number
  readonly billedBytes: number
  readonly dataSessions: number
  /** Of one device in the month; undefined: the plan has no known price. */
  readonly nanoDollars: bigint | undefined
}

/** A radio that has been silent for longer ends its data session: assumed, operators differ. */
export const sessionIdleMs = 300_000
const recordsPerDay = 4

export function airtime(plan: DataPlan, workload: Workload, wire: Wire, isAlwaysOn: boolean): Airtime {
  const messages = messagesPerMonth(workload) / workload.devices
  const pings = isAlwaysOn ? messages * keepAlivesPerMessage(workload) : 0
  const pingBytes = wire.perKeepAlive.up + wire.perKeepAlive.down
  const wireBytes = messages * (wire.perMessage.up + wire.perMessage.down)
  const silenceMs = messageIntervalMs(workload) / (1 + pings / messages)
  const counted = (sessions: number, bytes: number) => (sessions === 0 ? 0 : sessions * roundUp(bytes / sessions, plan))
  const billed =
    silenceMs <= sessionIdleMs
      ? { dataSessions: 1, billedBytes: Math.max(plan.sessionBytes, counted(workload.days * recordsPerDay, wireBytes)) }
      : {
          dataSessions: messages + pings,
          billedBytes: counted(messages, wireBytes - pings * pingBytes) + counted(pings, pings * pingBytes),
        }
  return { wireBytes, ...billed, nanoDollars: priceOfBytes(plan, billed.billedBytes, workload.days) }
}

function roundUp(bytes: number, { stepBytes, sessionBytes }: DataPlan): number {
  return Math.max(sessionBytes, Math.ceil(bytes / stepBytes - 1e-9) * stepBytes)
}

function priceOfBytes({ price }: DataPlan, bytes: number, days: number): bigint | undefined {
  if (!price) return undefined
  const whole = BigInt(Math.ceil(bytes))
  if ('simMonth' in price) return price.simMonth + divideRounded(whole * price.perMB, 1_000_000n)
  const used = divideRounded(whole * price.prepaid, BigInt(price.MB) * 1_000_000n)
  const elapsed = divideRounded(price.prepaid * BigInt(Math.round(days)), BigInt(price.months) * 30n)
  return used > elapsed ? used : elapsed
}
