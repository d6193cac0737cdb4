// A device that is asked answers: what it takes to try commands without hardware.
import type { Clock } from '../lib/clock.ts'
import type { Reading, Session } from './drivers/driver.ts'

/** What a command may do to the device that gets it. */
export interface Reactions {
  changeInterval(ms: number): void
  reboot(): void
}

interface Listener extends Reactions {
  readonly device: string
  readonly filter: string
  readonly clock: Clock
}

type Status = 'ok' | 'unknown command' | 'expected {"ms": <10 to 86400000>}'

/** What a device does when it is told. What is not in the table is answered too: nobody likes to wait for a timeout. */
const behaviours: Readonly<Record<string, (payload: Uint8Array, react: Reactions) => Status>> = {
  ping: () => 'ok',
  'set-interval': (payload, react) => {
    const ms = toMs(payload)
    if (ms === undefined) return 'expected {"ms": <10 to 86400000>}'
    react.changeInterval(ms)
    return 'ok'
  },
  reboot: () => 'ok',
}

/** Listens for a device's commands from now on; to be called for every new connection, as subscriptions end with it. */
export async function answerCommands(session: Session, { device, filter, clock, ...react }: Listener): Promise<void> {
  await session.subscribe?.(filter, (topic, payload) => {
    const answer = answerTo(topic, payload, device, clock.now(), react)
    if (!answer) return
    const told = session.publish(answer)
    // It says that it goes before it goes.
    if (topic.split('/').at(-3) === 'reboot') told.then(react.reboot, () => undefined)
    else told.catch(() => undefined)
  })
}

/** `…/<name>/req/<id>` is answered on `…/<name>/res/<id>`; anything else is no command. */
export function answerTo(topic: string, payload: Uint8Array, device: string, at: number, react: Reactions): Reading | undefined {
  const levels = topic.split('/')
  if (levels.length < 4 || levels.at(-2) !== 'req') return undefined
  const [name = '', id] = [levels.at(-3), levels.at(-1)]
  const behave = Object.hasOwn(behaviours, name) ? behaviours[name] : undefined
  const body = { device, command: name, id, at, status: behave?.(payload, react) ?? 'unknown command', received: payload.length }
  return { topic: [...levels.slice(0, -2), 'res', id].join('/'), payload: Buffer.from(JSON.stringify(body)), qos: 1 }
}

function toMs(payload: Uint8Array): number | undefined {
  try {
    const { ms } = JSON.parse(Buffer.from(payload).toString()) as { readonly ms?: unknown }
    return typeof ms === 'number' && ms >= 10 && ms <= 86_400_000 ? ms : undefined
  } catch {
    return undefined
  }
}
