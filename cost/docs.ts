// docs/cost.md: method, formulas and the verdict on the slogan, every figure computed from the price books.
import { crossover } from './crossover.ts'
import { estimatePath } from './estimate.ts'
import { formatCount, formatInterval, formatRanges } from './format.ts'
import { formatUsd } from './money.ts'
import { type PathName, paths, wireOf } from './paths.ts'
import { loadPriceBook, regions } from './price-book.ts'
import { bestPacking } from './questions/packing.ts'
import { unverifiedRules } from './questions/unverified.ts'
import { bytesOnWire } from './report/bytes.ts'
import { answerAll, defaultWorkload, mainCrossovers } from './report/report.ts'
import { markdownTable } from './table.ts'
import { wirePartNames, wireParts } from './wire.ts'
import { parseWorkload, type Workload } from './workload.ts'

export const docsCommand = 'UPDATE=1 npx vitest run --config test/vitest.config.ts test/cost/docs.test.ts'

export function costPage(): string {
  const { asOf } = loadPriceBook('us-east-1')
  return `<!-- generated from cost; do not edit, run ${docsCommand} -->
# What a fleet costs

\`weir cost\` prices one fleet over every way in: AWS IoT Core over MQTT, Basic Ingest, WebSocket and HTTPS, API Gateway, load balancers, servers of our own,
and other brokers. Prices are of ${asOf}, from books with a source, a date and a confidence for each (\`weir cost prices\`). The figures on this page are for
${formatCount(defaultWorkload.devices)} devices with one reading of ${defaultWorkload.payloadBytes} bytes every ${formatInterval(defaultWorkload.intervalMs)} over a topic of ${defaultWorkload.topicBytes} bytes, QoS ${defaultWorkload.qos}, in us-east-1, unless a line says otherwise.

| command | answers |
| --- | --- |
| \`weir cost\` | that table and the main crossovers |
| \`weir cost estimate --devices 500 --interval 5m …\` | the table for your fleet |
| \`weir cost sweep --over interval\\|devices\\|payload\` | what if |
| \`weir cost crossover A B --over interval\\|devices\\|payload\` | where A becomes cheaper than B |
| \`weir cost questions [N…]\` | the ten questions below, with all their figures |
| \`weir cost report --html F --md F\` | everything, for somebody else |
| \`weir cost price --jsonl\` | raw usage to dollars, a line at a time |
| \`weir cost prices --region R\` | the price book |

A path whose price nobody has published is listed with the reason, never priced with a guess; asking for that path alone ends with exit code 1. Wrong input
ends with 2 and one sentence.

## Is MQTT much cheaper than HTTP or WebSocket?

${verdict()}

## Who is cheaper, where

${markdownTable(
  ['over', 'pair', 'cheaper'],
  mainCrossovers(defaultWorkload).map((found) => [found.axis, found.paths.join(' / '), formatRanges(found)]),
  [0, 1, 2],
)}

With modelled data transfer out to the internet at its price, except from IoT Core; \`--no-data-out\` compares request prices alone.

## How a bill is made

A path is one entry in \`cost/paths.ts\`: it turns a workload into units of priced items, and nothing else. \`cost/price.ts\` turns units into integer
nano-dollars: allowances first (none by default, \`--free-tier\` grants them), then the tiers; nothing is rounded until it is printed.

- messages = devices × days × 86,400 s / (interval × readings a message)
- IoT Core message: ⌈(payload + topic) / 5,120⌉; HTTPS publish: ⌈payload / 5,120⌉; rule and action: ⌈payload / 5,120⌉ each; Basic Ingest: no message
- each session: one CONNECT message; connection minutes while connected, one at least
- HTTP API: ⌈payload / 524,288⌉ requests; REST API: one; WebSocket API: ⌈payload / 32,768⌉ messages, one for each acknowledgement, one for each ten idle minutes
- SQS: ⌈bytes of the call / 65,536⌉ requests for each send, receive and delete; an empty poll every 20 s for each idle consumer
- Lambda: a request, and memory × duration rounded up to the millisecond
- servers: max(⌈devices / connections a node⌉, ⌈messages a second / messages a node⌉) + spare, the balancer’s hours and units, two public addresses

A month has ${defaultWorkload.days} days. A KB is 1,024 bytes in every step.

## Crossovers are solved, not sampled

Between two kinks (a size step, a tier bound, one server more, one ping more) every quantity is a straight line in devices, bytes or 1 / interval. The pieces
are found by bisection on whole numbers, tier bounds in closed form, and the one root of each piece by its two ends, in exact nano-dollars. The answer
covers its whole range without gaps; a test compares it with the bills themselves at random points.

## What is modelled, and not measured

Bytes on the wire are a model from the specifications, with round figures for TLS 1.3 handshakes and HTTP heads. It feeds data transfer out, balancer units,
EMQX traffic and airtime. The capacity of a node is an assumption and a flag. Of one message, both ways:

${wireTable()}

## The ten questions

${answerAll(defaultWorkload)
  .map(
    ({ number, title, result, confidence, unanswered }) =>
      `${number}. **${title}** ${result ?? unanswered} (${confidence ?? 'not answered'})`,
  )
  .join('\n')}

## Not verified

${unverifiedRules.map(([rule, touches, confidence]) => `- ${rule}: ${confidence}; touches ${touches}`).join('\n')}

Prices that are not known stay unknown: ${unknownPrices()}
`
}

function verdict(): string {
  const ranges = (a: PathName, b: PathName, fields: Partial<Workload> = {}) =>
    formatRanges(crossover(a, b, 'interval', parseWorkload({ ...defaultWorkload, ...fields })))
  const bare = { dataOut: false } as const
  const [mqtt, https, basic] = [bill('iot-mqtt'), bill('iot-https'), bill('iot-mqtt-basic-ingest')]
  const best = bestPacking(defaultWorkload, loadPriceBook(defaultWorkload.region))
  const wire = (name: PathName, fields: Partial<Workload> = {}) =>
    bytesOnWire(wireOf(paths[name], parseWorkload({ ...defaultWorkload, ...fields })))
  const times = (a: number, b: number) => `${(a / b).toFixed(1)} times`
  return `**On the wire, yes. On the bill, it depends, and against HTTPS on IoT Core itself it is not cheaper at all.** All of the following is for this fleet, with 1 s to 24 h between messages; packing, Basic Ingest and batching move the bill more than the protocol does.

- **On the wire: yes.** An always-on MQTT device moves ${formatCount(wire('iot-mqtt'))} bytes a message, HTTPS with a connection for each ${formatCount(wire('iot-https'))}: ${times(wire('iot-https'), wire('iot-mqtt'))}. With 100 requests a connection it is ${formatCount(wire('iot-https', { requestsPerConnection: 100 }))}, ${times(wire('iot-https', { requestsPerConnection: 100 }), wire('iot-mqtt'))}; so most of the difference is the handshake, not the protocol. A raw WebSocket moves ${formatCount(wire('api-websocket-sqs'))}. (Modelled.)
- **Against HTTPS publishes on IoT Core: no.** Cheaper is ${ranges('iot-mqtt', 'iot-https')}: both pay the same for a message, only MQTT pays for minutes. ${formatUsd(mqtt)} against ${formatUsd(https)} a month. (Rests on HTTPS having no connection minutes, which is inferred.)
- **Against an HTTP API: only at high rates, or with Basic Ingest.** With a rule to SQS: by request prices, ${ranges('iot-mqtt', 'api-http-sqs', bare)}; with data transfer, ${ranges('iot-mqtt', 'api-http-sqs')}. With Basic Ingest: ${ranges('iot-mqtt-basic-ingest', 'api-http-sqs', bare)}, and ${ranges('iot-mqtt-basic-ingest', 'api-http-sqs')}.
- **Against a REST API: yes, for all but rare messages.** By request prices: ${ranges('iot-mqtt', 'api-rest-sqs', bare)}.
- **Against a WebSocket API: yes when messages are acknowledged, no when they are not and frequent.** Acknowledged: ${ranges('iot-mqtt', 'api-websocket-sqs', { ...bare, webSocketAcks: true })}. Not: ${ranges('iot-mqtt', 'api-websocket-sqs', { ...bare, webSocketAcks: false })}. From ${formatCount(5_121 - defaultWorkload.topicBytes)} bytes of payload on MQTT is two messages, and the WebSocket still one.
- **Against MQTT that connects for each message: yes, for all but rare messages.** ${ranges('iot-mqtt', 'iot-mqtt-reconnect', bare)}.
- **The protocol is not what matters most.** Packing ${best} readings into one message takes the same bill from ${formatUsd(mqtt)} to ${formatUsd(bill('iot-mqtt', { readingsPerMessage: best }))}; Basic Ingest alone to ${formatUsd(basic)}; both to ${formatUsd(bill('iot-mqtt-basic-ingest', { readingsPerMessage: best }))}.`
}

function bill(name: PathName, fields: Partial<Workload> = {}): bigint {
  return estimatePath(name, { ...defaultWorkload, ...fields }, loadPriceBook(defaultWorkload.region)).totalNanoDollars
}

function wireTable(): string {
  const cases: readonly (readonly [string, PathName, Partial<Workload>])[] = [
    ['MQTT over TLS, always on', 'iot-mqtt', {}],
    ['MQTT over WebSocket, always on', 'iot-mqtt-ws', {}],
    ['WebSocket, always on', 'api-websocket-sqs', {}],
    ['HTTPS, 100 requests a connection', 'iot-https', { requestsPerConnection: 100 }],
    ['HTTPS, a connection a message', 'iot-https', {}],
    ['MQTT, a connection a message', 'iot-mqtt-reconnect', {}],
  ]
  const rows = cases.map(([title, name, fields]) => {
    const { parts, perMessage } = wireOf(paths[name], parseWorkload({ ...defaultWorkload, ...fields }))
    const both = wireParts.map((part) => formatCount(parts[part].up + parts[part].down))
    return [title, ...both, formatCount(perMessage.up + perMessage.down)]
  })
  return markdownTable(['connection', ...wireParts.map((part) => wirePartNames[part]), 'sum'], rows)
}

function unknownPrices(): string {
  const counts = regions().map((region) => {
    const all = Object.values(loadPriceBook(region).prices)
    return `${region} ${all.filter(({ confidence }) => confidence === 'unknown').length} of ${all.length}`
  })
  return `${counts.join(', ')}. \`weir cost prices --region R\` names them.`
}
