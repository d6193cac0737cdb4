// Login attempts that wait for their password check. One check runs at a time; turns go round-robin between source
// addresses and, within one source, between names. A flood from one address cannot keep out the others.
import type { Clock } from '../../lib/clock.ts'
import { createRecent } from './recent.ts'

export interface Login {
  /** The key of the source address; see source-address.ts. */
  readonly source: string
  /** The name that the client claims. */
  readonly name: string
}

export interface LoginQueue {
  /** Runs the check when its turn comes. Resolves with undefined when too many attempts wait and this one is dropped. */
  run(login: Login, check: () => Promise<boolean>): Promise<boolean | undefined>
}

export interface LoginQueueOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  /** From 0 up to 1: chooses which attempt of a flood is dropped. */
  readonly random?: () => number
}

interface Attempt extends Login {
  readonly check: () => Promise<boolean>
  readonly settle: (outcome: boolean | undefined) => void
  readonly fail: (error: unknown) => void
}

interface Delay {
  readonly failures: number
  /** On the monotonic clock. */
  readonly until: number
}

export const maxWaiting = 512
export const maxWaitingPerSource = 64

/** After a wrong login, the next one of the same name from the same source waits: 100 ms, 200 ms … 5 s. */
export const firstDelayMs = 100
export const longestDelayMs = 5_000
/** A name without wrong logins for this long starts again at no delay. */
export const forgetAfterMs = 15 * 60_000
const maxDelays = 10_000

export function createLoginQueue({ clock, random = Math.random }: LoginQueueOptions): LoginQueue {
  /** Source → name → attempts, oldest first. The order of the keys is the order of the turns. */
  const sources = new Map<string, Map<string, Attempt[]>>()
  const delays = createRecent<Delay>(maxDelays)
  let running = false
  let wake = () => {}

  const keyOf = ({ source, name }: Login) => `${source} ${name}`

  const isForgotten = ({ until }: Delay) => clock.monotonic() - until >= forgetAfterMs

  /** Milliseconds until the next attempt of this name from this source may be checked. */
  const restOf = (login: Login) => (delays.get(keyOf(login))?.until ?? Number.NEGATIVE_INFINITY) - clock.monotonic()

  const learn = (login: Login, right: boolean) => {
    if (right) return delays.delete(keyOf(login))
    const before = delays.get(keyOf(login))
    const failures = before && !isForgotten(before) ? before.failures + 1 : 1
    const delayMs = Math.min(firstDelayMs * 2 ** (failures - 1), longestDelayMs)
    delays.set(keyOf(login), { failures, until: clock.monotonic() + delayMs })
  }

  const add = (attempt: Attempt) => {
    const names = sources.get(attempt.source) ?? new Map<string, Attempt[]>()
    const attempts = names.get(attempt.name) ?? []
    attempts.push(attempt)
    names.set(attempt.name, attempts)
    sources.set(attempt.source, names)
  }

  /** Takes an attempt out. Its name and its source go to the end of their round. */
  const remove = (attempt: Attempt) => {
    const names = sources.get(attempt.source)!
    const attempts = names.get(attempt.name)!
    attempts.splice(attempts.indexOf(attempt), 1)
    names.delete(attempt.name)
    if (attempts.length > 0) names.set(attempt.name, attempts)
    sources.delete(attempt.source)
    if (names.size > 0) sources.set(attempt.source, names)
  }

  /** Keeps the queue bounded. The largest source loses an attempt of the name that has the most. */
  const shed = () => {
    const sizes = [...sources.values()].map((names) => ({ size: sum([...names.values()].map(lengthOf)), names }))
    const total = sum(sizes.map(({ size }) => size))
    const largest = sizes.reduce((most, one) => (one.size > most.size ? one : most))
    if (total <= maxWaiting && largest.size <= maxWaitingPerSource) return
    const lists = [...largest.names.values()]
    const longest = Math.max(...lists.map(lengthOf))
    const candidates = lists.filter(({ length }) => length === longest).flat()
    const victim = candidates[Math.floor(random() * candidates.length)]!
    remove(victim)
    victim.settle(undefined)
  }

  /** The next attempt whose name does not rest; else the milliseconds until one is; undefined when none waits. */
  const next = (): Attempt | number | undefined => {
    let shortest: number | undefined
    for (const names of sources.values()) {
      for (const [attempt] of names.values()) {
        const rest = restOf(attempt!)
        if (rest <= 0) return attempt
        shortest = Math.min(shortest ?? rest, rest)
      }
    }
    return shortest
  }

  const pause = async (ms: number) => {
    const arrival = new AbortController()
    wake = () => arrival.abort()
    await clock.sleep(ms, arrival.signal).catch(() => undefined)
    wake = () => {}
  }

  const serve = async (attempt: Attempt) => {
    remove(attempt)
    try {
      const right = await attempt.check()
      learn(attempt, right)
      attempt.settle(right)
    } catch (error) {
      attempt.fail(error)
    }
  }

  const work = async () => {
    running = true
    for (let found = next(); found !== undefined; found = next()) await (typeof found === 'number' ? pause(found) : serve(found))
    running = false
  }

  return {
    run(login, check) {
      const { promise, resolve, reject } = Promise.withResolvers<boolean | undefined>()
      add({ source: login.source, name: login.name, check, settle: resolve, fail: reject })
      shed()
      wake()
      if (!running) void work()
      return promise
    },
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

const lengthOf = ({ length }: { readonly length: number }) => length
