// A device that is asked answers: what it takes to try commands without hardware.
import type { Clock } from '../lib/clock.ts'
import type { Reading, Session } from './drivers/driver.ts'

/** Listens for a device's commands from now on; to be called for every new connection, as subscriptions end with it. */
export async function answerCommands(
  session: Session,
  { device, filter, clock }: { readonly device: string; readonly filter: string; readonly clock: Clock },
): Promise<void> {
  await session.subscribe?.(filter, (topic, payload) => {
    const answer = answerTo(topic, payload, device, clock.now())
    if (answer) session.publish(answer).catch(() => undefined)
  })
}

/** `…/<name>/req/<id>` is answered on `…/<name>/res/<id>`; anything else is no command. */
export function answerTo(topic: string, payload: Uint8Array, device: string, at: number): Reading | undefined {
  const levels = topic.split('/')
  if (levels.length < 4 || levels.at(-2) !== 'req') return undefined
  const [name, id] = [levels.at(-3), levels.at(-1)]
  const body = { device, command: name, id, at, status: 'ok', received: payload.length }
  return { topic: [...levels.slice(0, -2), 'res', id].join('/'), payload: Buffer.from(JSON.stringify(body)), qos: 1 }
}
