// What outlives the process, under one directory: the spool, lanes for targets that are away, sessions of devices.
import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
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
import { createOverflow, type Lanes } from './delivery/parking.ts'
import { laneShare, mostHeld } from './delivery/pipeline.ts'
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
            ├─ overflow/<lane>/   the same, for one target that is away
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

/** Lanes come and go: small segments give their space back soon. */
const laneSegmentBytes = 16 * 1024 ** 2

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

/** Without a spool on disk there is nowhere to make way to: the devices wait. */
export function openOverflow(
  { spool, dataDir, delivery }: GatewayConfig,
  { observe, clock, losses, steady, fastPaths }: DataDirDeps,
): Lanes | undefined {
  if (spool.kind === 'direct') return undefined
  const { maxBytes, maxAgeMs } = spool
  const dir = join(dataDir, 'overflow')
  // What a lane cannot take stays in the spool, which speaks for the disk that they share.
  const quiet: Observe = {
    record(event, fields) {
      if (event !== 'gateway.degraded' && event !== 'gateway.recovered') observe.record(event, fields)
    },
  }
  const segmentBytes = Math.min(spool.segmentBytes, laneSegmentBytes, Math.floor(maxBytes / 4))
  const codec = new MessageCodec(fastPaths)
  return createOverflow({
    open: (name) =>
      createFileSpool({
        codec,
        dir: join(dir, name),
        maxBytes: Infinity,
        segmentBytes,
        windowBytes: 1024 ** 2,
        lock: false,
        maxAgeMs,
        clock,
        observe: quiet,
        steady,
        losses: losses.place(`overflow/${name}`),
      }),
    names: async () => (await readdir(dir).catch(noneYet)).filter((name) => /^\w+\.\d+$/.test(name)),
    maxHeld: mostHeld(delivery.maxInFlight),
    maxHeldBytes: inFlightBytes * laneShare,
    maxBytes,
    observe,
    clock,
  })
}

/** An error of another kind is told: what waits in lanes that cannot be seen would not be delivered. */
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
