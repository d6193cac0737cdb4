// Who is next: one lane per group, served by weighted deficit round robin, so that a long lane cannot make a short one wait.

/**
 *   ready   acme ●●●●●●●●●●  ─┐  each visit adds the lane's weight to its deficit; an item costs one.
 *           bolt ●            ├─▶ next     A lane without items, at its concurrency, or paused is not in
 *           cask ●●          ─┘            the ring at all, so a turn is never spent on it.
 */
export interface Lanes<T> {
  /** Items waiting, the paused ones included. */
  readonly size: number
  push(group: string, value: T): void
  /** Back to the head of its lane: it is tried again before its successors. */
  unshift(group: string, value: T): void
  /** The next item, counted as running in its lane until `done`. Undefined when no lane may run now. */
  take(): { readonly group: string; readonly value: T } | undefined
  done(group: string): void
  /** The lane gives nothing before `until` (the clock of `now`). */
  pause(group: string, until: number): void
  /** When the first paused lane may run again. */
  nextAt(): number | undefined
  waiting(group: string): number
  running(group: string): number
  /** To be called when what `concurrency` answers for the group has changed. */
  changed(group: string): void
  /** Nothing may run now, whatever waits. */
  readonly idle: boolean
  /** Items that wait in lanes which may give nothing now. */
  readonly blocked: number
  /** Lanes with something waiting or running. */
  readonly groups: number
  /** Takes everything that waits, without running it. */
  drain(): T[]
  /** The same of one lane. */
  drainLane(group: string): T[]
}

export interface LaneRules {
  readonly now: () => number
  /** Share of a group relative to the others; above 0. Default 1. */
  readonly weight?: (group: string) => number
  /** How many of a group may run at once. Default: no limit. */
  readonly concurrency?: (group: string) => number
  /** Asked when an item of the group is about to be taken: 0 lets it go, else the milliseconds to wait. */
  readonly admit?: (group: string) => number
}

interface Lane<T> {
  readonly group: string
  readonly items: T[]
  running: number
  deficit: number
  /** Has received its weight for the present visit. */
  visited: boolean
  pausedUntil: number
}

export function createLanes<T>({ now, weight = () => 1, concurrency = () => Infinity, admit = () => 0 }: LaneRules): Lanes<T> {
  const lanes = new Map<string, Lane<T>>()
  /** In the order of their turns; the first is being visited. */
  const ready = new Set<Lane<T>>()
  const paused = new Set<Lane<T>>()
  let size = 0

  const laneOf = (group: string) => {
    const known = lanes.get(group)
    if (known) return known
    const lane: Lane<T> = { group, items: [], running: 0, deficit: 0, visited: false, pausedUntil: 0 }
    lanes.set(group, lane)
    return lane
  }

  /** Puts a lane where it belongs after a change: in the ring, out of it, or away when nothing is left of it. */
  const place = (lane: Lane<T>) => {
    const runnable = lane.items.length > 0 && lane.running < concurrency(lane.group) && !paused.has(lane)
    if (runnable) {
      ready.add(lane)
      return
    }
    ready.delete(lane)
    lane.visited = false
    lane.deficit = 0
    if (lane.items.length === 0 && lane.running === 0 && !paused.has(lane)) lanes.delete(lane.group)
  }

  const pause = (lane: Lane<T>, until: number) => {
    lane.pausedUntil = Math.max(until, lane.pausedUntil)
    paused.add(lane)
    place(lane)
  }

  const resume = () => {
    if (paused.size === 0) return
    const at = now()
    for (const lane of paused) {
      if (lane.pausedUntil > at) continue
      paused.delete(lane)
      place(lane)
    }
  }

  const endVisit = (lane: Lane<T>) => {
    lane.visited = false
    ready.delete(lane)
    ready.add(lane)
  }

  return {
    get size() {
      return size
    },
    get groups() {
      return lanes.size
    },
    get blocked() {
      let runnable = 0
      for (const { items } of ready) runnable += items.length
      return size - runnable
    },
    push(group, value) {
      const lane = laneOf(group)
      lane.items.push(value)
      size++
      place(lane)
    },
    unshift(group, value) {
      const lane = laneOf(group)
      lane.items.unshift(value)
      size++
      place(lane)
    },
    take() {
      resume()
      for (let [lane] = ready; lane; [lane] = ready) {
        if (!lane.visited) {
          lane.visited = true
          lane.deficit += weight(lane.group)
        }
        if (lane.deficit < 1) {
          endVisit(lane)
          continue
        }
        const waitMs = admit(lane.group)
        if (waitMs > 0) {
          pause(lane, now() + waitMs)
          continue
        }
        lane.deficit -= 1
        lane.running++
        size--
        const value = lane.items.shift() as T
        place(lane)
        if (lane.deficit < 1 && ready.has(lane)) endVisit(lane)
        return { group: lane.group, value }
      }
      return undefined
    },
    done(group) {
      const lane = lanes.get(group)
      if (!lane) return
      lane.running--
      place(lane)
    },
    pause: (group, until) => pause(laneOf(group), until),
    nextAt() {
      let first: number | undefined
      for (const { pausedUntil } of paused) if (first === undefined || pausedUntil < first) first = pausedUntil
      return first
    },
    waiting: (group) => lanes.get(group)?.items.length ?? 0,
    running: (group) => lanes.get(group)?.running ?? 0,
    changed(group) {
      const lane = lanes.get(group)
      if (lane) place(lane)
    },
    get idle() {
      resume()
      return ready.size === 0
    },
    drainLane(group) {
      const lane = lanes.get(group)
      if (!lane) return []
      const values = lane.items.splice(0)
      size -= values.length
      place(lane)
      return values
    },
    drain() {
      const values = [...lanes.values()].flatMap((lane) => lane.items.splice(0))
      size = 0
      for (const lane of [...lanes.values()]) place(lane)
      return values
    },
  }
}
