// What outlives the process, in one directory: the spool, messages parked for unavailable targets, sessions of devices.
import { statSync } from 'node:fs'
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { isShared } from '../lib/private-files.ts'
import { randomSeed } from '../lib/random.ts'
import type { SteadyClock } from '../lib/steady.ts'
import type { Limits } from './access/limits.ts'
import type { Routes } from './broker/routes.ts'
import { createFileJournal, createMemoryJournal } from './broker/sessions/journal.ts'
import { createSessions, type Sessions, type SessionsOptions } from './broker/sessions/sessions.ts'
import type { GatewayConfig } from './config.ts'
import { Parking } from './delivery/parking.ts'
import { heldShare, mostHeld } from './delivery/pipeline.ts'
import type { Observe } from './observe/observe.ts'
import { createDirectSpool } from './spool/direct.ts'
import { createFileSpool, inFlightBytes } from './spool/file.ts'
import { nodeFs } from './spool/fs.ts'
import { createLosses, type Losses } from './spool/losses.ts'
import { MessageCodec } from './spool/message-codec.ts'
import { createPlaces, type Places } from './spool/places.ts'
import type { Spool } from './spool/spool.ts'
import { type KeptSteadyClock, openSteadyClock } from './spool/steady.ts'

/*
   dataDir ─┬─ spool/             accepted and not settled
            ├─ overflow/<rule>.<action>.<hash of its target>/   parked messages: the same, for one action
            ├─ sessions/          retained messages, subscriptions, what waits for a device
            ├─ local/             queues of the embedded SQS, if they persist
            ├─ losses, losses.2   acknowledged messages that the disk lost, and whether a person has confirmed it
            ├─ places, places.2   which of these directories held messages, so that a removed one is reported
            ├─ clock, clock.2     steps of the wall clock, so that they expire nothing
            ├─ client-id          of a gateway at somebody else's broker
            └─ weir.log           of `weir up`
*/
export interface DataDirDeps {
  readonly observe: Observe
  readonly clock: Clock
  readonly losses: Losses
  readonly steady: SteadyClock
  readonly fastPaths: boolean
}

/** Parked messages come and go: small segments free their disk space soon. */
const parkingSegmentBytes = 16 * 1024 ** 2

/** Directories that other users may open. They are not changed: one that was there before the gateway may have other uses. */
export function sharedDirs(dataDir: string): readonly string[] {
  const ours = ['', 'spool', 'overflow', 'sessions', 'local'].map((name) => join(dataDir, name))
  return ours.filter((path) => isShared(statSync(path, { throwIfNoEntry: false })?.mode ?? 0))
}

export function openLosses({ dataDir }: GatewayConfig, { observe, clock }: Pick<DataDirDeps, 'observe' | 'clock'>): Losses {
  return createLosses({ observe, clock, disk: { fs: nodeFs, dir: dataDir } })
}

export function openPlaces(
  { dataDir }: GatewayConfig,
  { observe, clock, losses }: DataDirDeps,
  holds: (place: string) => number | undefined,
): Places {
  return createPlaces({ fs: nodeFs, dir: dataDir, clock, observe, losses, holds })
}

export function openSteady(
  { spool, sessions, dataDir }: GatewayConfig,
  { observe, clock }: Pick<DataDirDeps, 'observe' | 'clock'>,
): Promise<KeptSteadyClock> {
  const persistent = spool.kind === 'file' || sessions.persist
  return openSteadyClock({ observe, clock, ...(persistent && { disk: { fs: nodeFs, dir: dataDir } }) })
}

export function openSpool({ spool, dataDir }: GatewayConfig, { observe, clock, losses, steady, fastPaths }: DataDirDeps): Spool {
  if (spool.kind === 'direct') return createDirectSpool({ ...spool, clock })
  const codec = new MessageCodec(fastPaths)
  return createFileSpool({ ...spool, codec, dir: join(dataDir, 'spool'), clock, observe, steady, losses: losses.place('spool') })
}

/** undefined without a spool on disk: devices then wait for unavailable targets. */
export function openParking(
  { spool, dataDir, delivery }: GatewayConfig,
  deps: DataDirDeps & { readonly places: Places },
): Parking | undefined {
  if (spool.kind === 'direct') return undefined
  const { observe, clock, losses, steady, places, fastPaths } = deps
  const { maxBytes, maxAgeMs } = spool
  const dir = join(dataDir, 'overflow')
  const segmentBytes = Math.min(spool.segmentBytes, parkingSegmentBytes, Math.floor(maxBytes / 4))
  const codec = new MessageCodec(fastPaths)
  return new Parking({
    open: (name) =>
      createFileSpool({
        codec,
        ...{ dir: join(dir, name), maxBytes: Infinity, segmentBytes, windowBytes: 1024 ** 2, lock: false, maxAgeMs },
        ...{ clock, steady, observe: withoutHealth(observe), losses: losses.place(`overflow/${name}`) },
      }),
    names: () => readdir(dir).catch(noneYet),
    async rename(from, to) {
      await losses.rename(`overflow/${from}`, `overflow/${to}`)
      await rename(join(dir, from), join(dir, to))
      await places.noted()
    },
    maxHeld: mostHeld(delivery.maxInFlight),
    maxHeldBytes: inFlightBytes * heldShare,
    maxBytes,
    observe,
    clock,
  })
}

/** Parking spools do not report disk problems: the messages stay in the main spool, which reports the same disk. */
function withoutHealth(observe: Observe): Observe {
  return {
    record(event, fields) {
      if (event !== 'gateway.degraded' && event !== 'gateway.recovered') observe.record(event, fields)
    },
  }
}

/** Other errors stop the start: messages in a directory that cannot be read would not be delivered. */
function noneYet(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return []
  throw error
}

export function openSessions({ sessions, dataDir }: GatewayConfig, limits: Limits, { observe, clock, losses, steady }: DataDirDeps) {
  const place = {
    dir: join(dataDir, 'sessions'),
    salt: randomSeed(),
    observe,
    clock,
    fs: nodeFs,
    losses: losses.place('sessions', 'sessions'),
  }
  return (routes: Routes, memory: SessionsOptions['memory']): Sessions =>
    createSessions({
      ...sessions,
      ...{ routes, memory, clock, observe, steady },
      journal: (journaled) => (sessions.persist ? createFileJournal({ journaled, ...place }) : createMemoryJournal(journaled)),
      maxRetained: limits.quotas.retainedMessages,
      messageExpirySeconds: limits.messageExpirySeconds,
    })
}
