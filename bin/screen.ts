// What `weir up` shows while it runs: where everything listens, a line per second, and every alert.
import type { FleetProgress } from '../device-sim/fleet.ts'
import { codes, type ErrorCode } from '../gateway/errors.ts'
import type { Gateway, Ports } from '../gateway/gateway.ts'
import { printable } from '../lib/printable.ts'

export interface Welcome {
  readonly ports: Ports
  readonly host: string
  readonly adminHost: string
  readonly logFile: string
  /** Who sends what. */
  readonly fleet: string
}

export function welcome({ ports, host, adminHost, logFile, fleet }: Welcome): string {
  const rows: readonly (readonly [string, string | false | undefined])[] = [
    ['MQTT', ports.mqtt !== undefined && `mqtt://${host}:${ports.mqtt}`],
    ['MQTT over TLS', ports.mqtts !== undefined && `mqtts://${host}:${ports.mqtts}`],
    ['MQTT over WebSocket', ports.mqttWs !== undefined && `ws://${host}:${ports.mqttWs}/mqtt`],
    ['SQS and SNS', ports.aws !== undefined && `http://127.0.0.1:${ports.aws}`],
    ['Dashboard', ports.admin !== undefined && `http://${adminHost}:${ports.admin}/ · also /api/ledger · /metrics · /healthz`],
    ['Log', `${logFile} · read it with: weir logs --follow`],
    ['Fleet', fleet],
  ]
  const shown = rows.flatMap(([name, value]) => (value ? [`  ${name.padEnd(20)}${value}`] : []))
  return `weir: the river flows, Ctrl-C ends it\n\n${shown.join('\n')}\n\n`
}

export interface Moment {
  readonly gateway: Gateway
  readonly fleet: FleetProgress | undefined
  readonly alerts: number
}

const columns = ['in/s', 'routed/s', 'queued', 'consumed/s', 'alerts', 'dead', 'ack p99'] as const
const headerEvery = 20
const alertLength = 200

/** One line per call, like vmstat: rates since the last call, then totals. */
export function createLiveLines(out: NodeJS.WritableStream): { write(moment: Moment): void } {
  let before = { accepted: 0, delivered: 0, handled: 0 }
  let lines = 0
  return {
    write({ gateway, fleet, alerts }) {
      const { accepted, delivered, dead, queued } = gateway.ledger()
      const stats = gateway.consumers.map((consumer) => consumer.stats())
      const handled = stats.reduce((sum, { handled }) => sum + handled, 0)
      const buried = stats.reduce((sum, { buried }) => sum + buried, 0)
      const inHand = stats.reduce((sum, { waiting, inFlight }) => sum + waiting + inFlight, 0)
      const ack = fleet?.ackMs ? `${fleet.ackMs.p99.toFixed(1)} ms` : '-'
      const values = [
        accepted - before.accepted,
        delivered - before.delivered,
        queued + inHand,
        handled - before.handled,
        alerts,
        dead + buried,
        ack,
      ]
      if (lines++ % headerEvery === 0) out.write(`${columns.map((name) => name.padStart(12)).join('')}\n`)
      out.write(`${values.map((value) => String(value).padStart(12)).join('')}\n`)
      before = { accepted, delivered, handled }
    },
  }
}

/** Who is turned away sees only that the connection ends: here it is said why, once for each reason. */
export function createRefusals(
  out: NodeJS.WritableStream,
  colour: boolean,
): { tell(metrics: Pick<Gateway['observe']['metrics'], 'series'>): void } {
  const label = colour ? '\u001b[1;31mREFUSED\u001b[0m' : 'REFUSED'
  const told = new Set<string>()
  return {
    tell(metrics) {
      const counts = new Map<string, number>()
      for (const event of ['client.refused', 'client.failed', 'message.refused'] as const)
        for (const { labels, value } of metrics.series(event)) counts.set(labels.code!, (counts.get(labels.code!) ?? 0) + value)
      for (const [code, count] of counts) {
        // A connection that broke is no refusal.
        if (told.has(code) || !Object.hasOwn(codes, code)) continue
        told.add(code)
        out.write(`${label}  ${code}, ${count} so far: ${codes[code as ErrorCode].means}; who and what is in the log at level warn\n`)
      }
    },
  }
}

/** `ALERT  warm_freezer  acme truck-3 freezer-17  −9.4 °C` from the JSON body of an alert. */
export function alertLine(body: Uint8Array, colour: boolean): string {
  const text = messageOf(Buffer.from(body).toString())
  const label = colour ? '\u001b[1;31mALERT\u001b[0m' : 'ALERT'
  const { alert, tenant, site, device, temperature, door } = fieldsOf(text)
  if (alert !== undefined) return `${label}  ${printable(`${alert}  ${tenant} / ${site} / ${device}  ${temperature} °C, door ${door}`)}`
  // Somebody else's alert, shown as it is.
  return `${label}  ${printable(text.length > alertLength ? `${text.slice(0, alertLength)} …` : text)}`
}

/** What was published, out of the envelope that SNS puts around it unless the subscription is raw. */
function messageOf(text: string): string {
  const { Type, Message } = fieldsOf(text)
  return Type === 'Notification' && typeof Message === 'string' ? Message : text
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
