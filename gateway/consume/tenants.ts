// What each tenant asks for, gets and waits: the numbers behind `weir tenants`, and the name of the noisy one.
import type { Clock } from '../../lib/clock.ts'
import { createNames } from '../../lib/names.ts'
import { Histogram } from './histogram.ts'
import type { Item } from './queue.ts'

export interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface TenantStats {
  /** `(others)`: all tenants without an account of their own. */
  readonly tenant: string
  readonly received: number
  readonly handled: number
  readonly inFlight: number
  readonly waiting: number
  /** Share of what was received in the last window, 0 to 1. */
  readonly share: number
  /** From first sent to handled, in milliseconds, over the last two windows. */
  readonly dwellMs: Quantiles
  readonly noisy: boolean
}

export interface TenantsOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly weight: (tenant: string) => number
  readonly changed: (tenant: string, noisy: boolean, share: number) => void
  readonly windowMs?: number
  /** Tenants with an account of their own; known tenants do not count. */
  readonly accounts?: number
  /** A known tenant always has an account of its own. */
  readonly isKnown?: (tenant: string) => boolean
}

export interface Tenants {
  /** The account of a tenant: its own, or the one that all further tenants share. The other methods take accounts. */
  accountOf(tenant: string): string
  received(tenant: string, count: number): void
  /** One is being handled (+1) or no longer (-1). */
  running(tenant: string, by: 1 | -1): void
  handled(tenant: string, dwellMs: number): void
  isNoisy(tenant: string): boolean
  snapshot(waiting: (tenant: string) => number): readonly TenantStats[]
}

interface Account {
  received: number
  handled: number
  inFlight: number
  recent: number
  previous: number
  dwell: Histogram
  dwellBefore: Histogram
  noisy: boolean
  seenAt: number
}

/** Below this many in a window nobody is noisy [the same floor as AWS sqs-fair-queues]. */
const noisyFloor = 30
const forgetAfterWindows = 60
const mostAccounts = 1_000
const longestMs = 14 * 86_400_000

export function createTenants(options: TenantsOptions): Tenants {
  const { clock, weight, changed, windowMs = 10_000, accounts: most = mostAccounts, isKnown } = options
  const names = createNames({ most, idleMs: forgetAfterWindows * windowMs, now: clock.monotonic, ...(isKnown ? { isKnown } : {}) })
  const accounts = new Map<string, Account>()
  let windowFrom = clock.monotonic()
  let unjudged = 0

  const accountOf = (tenant: string) => {
    const known = accounts.get(tenant)
    if (known) return known
    const fresh: Account = {
      received: 0,
      handled: 0,
      inFlight: 0,
      recent: 0,
      previous: 0,
      dwell: new Histogram(),
      dwellBefore: new Histogram(),
      noisy: false,
      seenAt: clock.monotonic(),
    }
    accounts.set(tenant, fresh)
    return fresh
  }

  const totals = () => {
    let recent = 0
    let weights = 0
    for (const [tenant, account] of accounts) {
      const count = account.recent + account.previous
      recent += count
      if (count > 0 || account.inFlight > 0) weights += weight(tenant)
    }
    return { recent, weights }
  }

  /** Noisy: at least twice its fair share of what comes in, and more than halfway from fair to all of it. */
  const judge = () => {
    unjudged = 0
    const { recent, weights } = totals()
    for (const [tenant, account] of accounts) {
      const fair = weights === 0 ? 1 : weight(tenant) / weights
      const count = account.recent + account.previous
      const share = recent === 0 ? 0 : count / recent
      const noisy = fair < 1 && count >= noisyFloor && share > Math.min(2 * fair, (1 + fair) / 2)
      if (noisy === account.noisy) continue
      account.noisy = noisy
      changed(tenant, noisy, share)
    }
  }

  const roll = () => {
    const at = clock.monotonic()
    if (at - windowFrom < windowMs) return
    const stale = at - windowFrom >= 2 * windowMs
    windowFrom = at
    for (const [tenant, account] of accounts) {
      account.previous = stale ? 0 : account.recent
      account.recent = 0
      const reused = account.dwellBefore
      reused.reset()
      account.dwellBefore = account.dwell
      account.dwell = reused
      if (account.inFlight === 0 && at - account.seenAt > forgetAfterWindows * windowMs) accounts.delete(tenant)
    }
    judge()
  }

  return {
    accountOf: names.accountOf,
    received(tenant, count) {
      roll()
      const known = accounts.has(tenant)
      const account = accountOf(tenant)
      account.received += count
      account.recent += count
      account.seenAt = clock.monotonic()
      unjudged += count
      // Looked at within a window too, as often as costs little per message: a flood is named in its first second.
      if ((!known && accounts.size < noisyFloor) || unjudged >= Math.max(noisyFloor, accounts.size)) judge()
    },
    running(tenant, by) {
      accountOf(tenant).inFlight += by
    },
    handled(tenant, dwellMs) {
      const account = accountOf(tenant)
      account.handled++
      account.dwell.record(Math.min(longestMs, Math.max(1, Math.round(dwellMs))))
    },
    isNoisy: (tenant) => accounts.get(tenant)?.noisy ?? false,
    snapshot(waiting) {
      roll()
      const { recent } = totals()
      return [...accounts]
        .map(([tenant, account]) => ({
          tenant,
          received: account.received,
          handled: account.handled,
          inFlight: account.inFlight,
          waiting: waiting(tenant),
          share: recent === 0 ? 0 : (account.recent + account.previous) / recent,
          dwellMs: quantiles(account),
          noisy: account.noisy,
        }))
        .sort((a, b) => b.share - a.share || b.received - a.received)
    },
  }
}

/** The tenant travels as an attribute where the group is a device; on standard queues the group is the tenant. */
export function tenantOf({ attributes, group }: Item): string {
  return attributes.tenant ?? (group === '' ? '-' : group)
}

function quantiles({ dwell, dwellBefore }: Account): Quantiles {
  const both = new Histogram()
  both.add(dwell)
  both.add(dwellBefore)
  return { p50: both.percentile(50), p95: both.percentile(95), p99: both.percentile(99) }
}
