// Remembers which directories held messages, so that a start notices one that was removed as a whole.
//
//   <dataDir>/places   {"places":{"spool":null,"sessions":12,"overflow/telemetry.sqs.1f0c27e09b6d4a35":0}}
//
// A number is what the directory held at the last orderly stop. `null`: the gateway runs, or it was killed.
import { join } from 'node:path'
import * as z from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import type { SpoolFs } from './fs.ts'
import type { Losses } from './losses.ts'
import { openTurns, type Turns } from './turns.ts'

export interface Places {
  /** Reports the directories that were removed since the last run. Call it before anything creates them. */
  start(): Promise<void>
  /** Writes down which directories exist. Call it after a directory was renamed, because a start would miss the old name. */
  noted(): Promise<void>
  /** Writes down what each directory holds. Call it when nothing writes to them any more. */
  stop(): Promise<void>
}

export interface PlacesOptions {
  readonly fs: SpoolFs
  readonly dir: string
  readonly clock: Pick<Clock, 'every'>
  readonly observe: Observe
  readonly losses: Losses
  /** Messages in a directory, asked at the stop; undefined: unknown. */
  readonly holds: (place: string) => number | undefined
}

const schema = z.strictObject({ places: z.record(z.string(), z.int().min(0).nullable()) })
type Counts = z.infer<typeof schema>['places']

const lookEveryMs = 1_000

export function createPlaces({ fs, dir, clock, observe, losses, holds }: PlacesOptions): Places {
  let files: Turns<z.infer<typeof schema>> | undefined
  let written: Counts = {}
  let looking: Promise<void> | undefined
  let endLooking = () => {}

  const write = async (places: Counts) => {
    files ??= await openTurns(fs, dir, 'places', schema)
    await files.write({ places })
    written = places
  }

  const note = async (count: (place: string) => number | null) => {
    const found = await existing(fs, dir)
    const places = Object.fromEntries(found.map((place) => [place, count(place)]))
    if (JSON.stringify(places) !== JSON.stringify(written)) await write(places)
  }

  const failed = (error: NodeJS.ErrnoException) =>
    observe.record('spool.failed', { code: error.code ?? 'unknown', detail: `places: ${textOf(error)}` })

  const look = () => {
    looking ??= note(() => null)
      .catch(failed)
      .finally(() => {
        looking = undefined
      })
  }

  const report = async (place: string, held: number | null) => {
    if (held === 0) return
    const account = losses.place(place, place === 'sessions' ? 'sessions' : 'messages')
    account.add('start', { unnumbered: held ?? 0, exact: held !== null, reasons: [`the directory ${place} is missing`] })
    await account.saved()
  }

  return {
    async start() {
      const names = await fs.list(dir).catch(() => [])
      if (names.some((name) => name.startsWith('places'))) {
        files = await openTurns(fs, dir, 'places', schema)
        if (typeof files.found === 'object') written = files.found.places
      }
      const found = await existing(fs, dir)
      for (const [place, held] of Object.entries(written)) if (!found.includes(place)) await report(place, held)
      if (names.length > 0) await note(() => null).catch(failed)
      endLooking = clock.every(lookEveryMs, look)
    },
    async noted() {
      await looking
      look()
      await looking
    },
    async stop() {
      endLooking()
      await looking
      await note((place) => holds(place) ?? null).catch(failed)
      await files?.close().catch(() => undefined)
    },
  }
}

/** The directories that hold messages, relative to `dir`, in the order of their names. */
async function existing(fs: SpoolFs, dir: string): Promise<readonly string[]> {
  const list = (path: string): Promise<readonly string[]> => fs.list(path).catch(() => [])
  const [names, parked] = [await list(dir), await list(join(dir, 'overflow'))]
  return [...['sessions', 'spool'].filter((name) => names.includes(name)), ...parked.map((name) => `overflow/${name}`)].sort()
}
