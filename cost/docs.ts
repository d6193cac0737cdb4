// docs/cost.md: method, formulas and the verdict on the slogan, every figure computed from the price books and a measured run.
import { type ByteColumn, bytesOf, compareTable, measuredColumns, published } from './compare.ts'
import { crossover } from './crossover.ts'
import { estimatePath } from './estimate.ts'
import { formatCount, formatInterval, formatRanges } from './format.ts'
import { measuredWires, type Run } from './measurement.ts'
import { formatUsd } from './money.ts'
import { basisOf, type PathName, paths, type WireOf } from './paths.ts'
import { loadPriceBook, regions } from './price-book.ts'
import { bestPacking } from './questions/packing.ts'
import { unverifiedRules } from './questions/unverified.ts'
import { bytesOnWire } from './report/bytes.ts'
import { describeBatches, describeRun, measuredTables } from './report/measured.ts'
import { answerAll, defaultWorkload, mainCrossovers } from './report/report.ts'
import { markdownTable } from './table.ts'
import { wirePartNames, wireParts } from './wire.ts'
import { parseWorkload, type Workload } from './workload.ts'

export const docsCommand = 'UPDATE=1 npx vitest run --config test/vitest.config.ts test/cost/docs.test.ts'

/** `run`: the measured one that the page stands on. */
export function costPage(run: Run): string {
  const wires = measuredWires(run)
  const { asOf } = loadPriceBook('us-east-1')
  return `<!-- generated from cost; do not edit, run ${docsCommand} -->
# What a fleet costs

\`weir cost\` prices one fleet over every way in: AWS IoT Core over MQTT, Basic Ingest, WebSocket and HTTPS, API Gateway, load balancers, servers of our own,
and other brokers. Prices are of ${asOf}, from books with a source, a date and a confidence for each (\`weir cost prices\`). The figures on this page are for
${formatCount(defaultWorkload.devices)} devices with one reading of ${defaultWorkload.payloadBytes} bytes every ${formatInterval(defaultWorkload.intervalMs)} over a topic of ${defaultWorkload.topicBytes} bytes, QoS ${defaultWorkload.qos}, in us-east-1, unless a line says otherwise.

| command | answers |
| --- | --- |
| \`weir cost\` | a short measured run, that table and the main crossovers |
| \`weir cost run --out run.json\` | a run over each transport: packets, billed units, bytes; \`--html\`, \`--md\` for the whole report |
| \`weir cost report --from run.json\` | every report of any fleet with the bytes of that run |
| \`weir cost compare\` | the published bytes of MQTT and HTTP, and today's |
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

${verdict(wires)}

## Who is cheaper, where

${markdownTable(
  ['over', 'pair', 'cheaper'],
  mainCrossovers(defaultWorkload, wires).map((found) => [found.axis, found.paths.join(' / '), formatRanges(found)]),
  [0, 1, 2],
)}

With measured data transfer out to the internet at its price, except from IoT Core; \`--no-data-out\` compares request prices alone.

## How a bill is made

A path is one entry in \`cost/paths.ts\`: it turns a workload into units of priced items, and nothing else. \`cost/price.ts\` turns units into integer
nano-dollars: allowances first (none by default, \`--free-tier\` grants them), then the tiers; nothing is rounded until it is printed.

- messages = devices × days × 86,400 s / (interval × readings a message)
- IoT Core message: ⌈(payload + topic) / 5,120⌉; HTTPS publish: ⌈payload / 5,120⌉; rule and action: ⌈payload / 5,120⌉ each; Basic Ingest: no message
- each session: one CONNECT message; connection minutes while connected, one at least
- HTTP API: ⌈payload / 524,288⌉ requests; REST API: one; WebSocket API: ⌈payload / 32,768⌉ messages, one for each acknowledgement, one for each ten idle minutes
- SQS: ⌈bytes of the call / 65,536⌉ requests for each send, receive and delete; an empty poll every 20 s for each idle consumer; batched calls carry ten (\`--messages-per-call\`), which takes a fleet that fills them
- Lambda: a request, and memory × duration rounded up to the millisecond
- servers: max(⌈devices / connections a node⌉, ⌈messages a second / messages a node⌉) + spare, the balancer’s hours and units, two public addresses

A month has ${defaultWorkload.days} days. A KB is 1,024 bytes in every step.

## Crossovers are solved, not sampled

Between two kinks (a size step, a tier bound, one server more, one ping more) every quantity is a straight line in devices, bytes or 1 / interval. The pieces
are found by bisection on whole numbers, tier bounds in closed form, and the one root of each piece by its two ends, in exact nano-dollars. The answer
covers its whole range without gaps; a test compares it with the bills themselves at random points.

## What is measured, and what is modelled

${describeRun(run)}.

Devices speak to a relay that ends their TLS with the gateway's own certificate and settings, and opens TLS to the gateway's door with the device's certificate. So
every packet, frame and request is seen in plain, and every byte of ciphertext is counted where it crosses the socket. Each transport has three phases: connections
that say nothing (what a session costs), connections that are only kept alive (a ping and its answer), connections with readings; a message is what the third costs
more than the first. TCP/IP headers are those of every segment the kernel counted for the closed sockets, SYN, FIN and bare acknowledgements among them (\`ss --events\`);
where there is no such kernel they are modelled, and the report says so. A packet capture of the same run agrees within 3 % (\`test/bench/cost.md\`).

Of one message, both ways; sessions and keep-alives shared out over the messages of the fleet above:

${wireTable(wires)}

What loopback does not show: a path with 1,460-byte segments cuts a TLS handshake into more of them (a few hundred bytes a session), a real chain of certificates is longer than
ours of one, an acknowledgement that takes longer than 40 ms is preceded by a bare one (52 bytes), and loss sends bytes twice. For a message of another size a measured part
is shifted by what the model of the specifications says the difference is. Keep-alives of a WebSocket API and the capacity of a node are assumptions.

Bytes on the wire feed data transfer out, balancer units, EMQX traffic and airtime; no price of IoT Core or API Gateway requests depends on them.

The units metered are those of the formulas above, CONNECT and its minute with each session: ${meteredSentence(run)}.
Calls to SQS were not full at the ${formatCount((1_000 * run.devices) / run.intervalMs)} messages a second of the run: ${describeBatches(run)}. The gateway does not keep a message waiting for company, so a small fleet pays for
more calls than the tables say: with one message a call, ${formatRanges(crossover('iot-mqtt', 'weir-ec2', 'devices', parseWorkload({ messagesPerCall: 1 }), { domain: [1, 1_000_000], wires }))}.

### What AWS would have metered in the run

${billed(run)}

### The published comparison, again

HiveMQ printed in 2022 what Google had measured in 2018; HTTP opens a connection for each message there. The same table, TCP/IP included (\`weir cost compare\`):

${comparison(run)}

${differences(run)}

## The ten questions

${answerAll(defaultWorkload, wires)
  .map(
    ({ number, title, result, confidence, unanswered }) =>
      `${number}. **${title}** ${result ?? unanswered} (${confidence ?? 'not answered'})`,
  )
  .join('\n')}

## Not verified

${unverifiedRules(basisOf(wires, defaultWorkload))
  .map(([rule, touches, confidence]) => `- ${rule}: ${confidence}; touches ${touches}`)
  .join('\n')}

Prices that are not known stay unknown: ${unknownPrices()}
`
}

function verdict(wires: WireOf): string {
  const ranges = (a: PathName, b: PathName, fields: Partial<Workload> = {}) =>
    formatRanges(crossover(a, b, 'interval', parseWorkload({ ...defaultWorkload, ...fields }), { wires }))
  const bare = { dataOut: false } as const
  const bill = (name: PathName, fields: Partial<Workload> = {}) =>
    estimatePath(name, { ...defaultWorkload, ...fields }, loadPriceBook(defaultWorkload.region), 'none', wires).totalNanoDollars
  const [mqtt, https, basic] = [bill('iot-mqtt'), bill('iot-https'), bill('iot-mqtt-basic-ingest')]
  const best = bestPacking(defaultWorkload, loadPriceBook(defaultWorkload.region))
  const wire = (name: PathName, fields: Partial<Workload> = {}) =>
    bytesOnWire(wires(paths[name], parseWorkload({ ...defaultWorkload, ...fields })))
  const times = (a: number, b: number) => `${(a / b).toFixed(1)} times`
  return `**On the wire, yes. On the bill, it depends, and against HTTPS on IoT Core itself it is not cheaper at all.** All of the following is for this fleet, with 1 s to 24 h between messages; packing, Basic Ingest and batching move the bill more than the protocol does.

- **On the wire: yes.** An always-on MQTT device moves ${formatCount(wire('iot-mqtt'))} bytes a message, HTTPS with a connection for each ${formatCount(wire('iot-https'))}: ${times(wire('iot-https'), wire('iot-mqtt'))}. With 100 requests a connection it is ${formatCount(wire('iot-https', { requestsPerConnection: 100 }))}, ${times(wire('iot-https', { requestsPerConnection: 100 }), wire('iot-mqtt'))}; so most of the difference is the handshake, not the protocol. A raw WebSocket moves ${formatCount(wire('api-websocket-sqs'))}. (Measured.)
- **Against HTTPS publishes on IoT Core: no.** Cheaper is ${ranges('iot-mqtt', 'iot-https')}: both pay the same for a message, only MQTT pays for minutes. ${formatUsd(mqtt)} against ${formatUsd(https)} a month. (Rests on HTTPS having no connection minutes, which is inferred.)
- **Against an HTTP API: only at high rates, or with Basic Ingest.** With a rule to SQS: by request prices, ${ranges('iot-mqtt', 'api-http-sqs', bare)}; with data transfer, ${ranges('iot-mqtt', 'api-http-sqs')}. With Basic Ingest: ${ranges('iot-mqtt-basic-ingest', 'api-http-sqs', bare)}, and ${ranges('iot-mqtt-basic-ingest', 'api-http-sqs')}.
- **Against a REST API: yes, for all but rare messages.** By request prices: ${ranges('iot-mqtt', 'api-rest-sqs', bare)}.
- **Against a WebSocket API: yes when messages are acknowledged, no when they are not and frequent.** Acknowledged: ${ranges('iot-mqtt', 'api-websocket-sqs', { ...bare, webSocketAcks: true })}. Not: ${ranges('iot-mqtt', 'api-websocket-sqs', { ...bare, webSocketAcks: false })}. From ${formatCount(5_121 - defaultWorkload.topicBytes)} bytes of payload on MQTT is two messages, and the WebSocket still one.
- **Against MQTT that connects for each message: yes, for all but rare messages.** ${ranges('iot-mqtt', 'iot-mqtt-reconnect', bare)}.
- **The protocol is not what matters most.** Packing ${best} readings into one message takes the same bill from ${formatUsd(mqtt)} to ${formatUsd(bill('iot-mqtt', { readingsPerMessage: best }))}; Basic Ingest alone to ${formatUsd(basic)}; both to ${formatUsd(bill('iot-mqtt-basic-ingest', { readingsPerMessage: best }))}.`
}

function wireTable(wires: WireOf): string {
  const cases: readonly (readonly [string, PathName, Partial<Workload>])[] = [
    ['MQTT over TLS, always on', 'iot-mqtt', {}],
    ['MQTT over WebSocket, always on', 'iot-mqtt-ws', {}],
    ['WebSocket, always on', 'api-websocket-sqs', {}],
    ['HTTPS, 100 requests a connection', 'iot-https', { requestsPerConnection: 100 }],
    ['HTTPS, a connection a message', 'iot-https', {}],
    ['MQTT, a connection a message', 'iot-mqtt-reconnect', {}],
  ]
  const rows = cases.map(([title, name, fields]) => {
    const { parts, perMessage } = wires(paths[name], parseWorkload({ ...defaultWorkload, ...fields }))
    const both = wireParts.map((part) => formatCount(parts[part].up + parts[part].down))
    return [title, ...both, formatCount(perMessage.up + perMessage.down)]
  })
  return markdownTable(['connection', ...wireParts.map((part) => wirePartNames[part]), 'sum'], rows)
}

/** Billed messages a message of the device, from the packets of the run. */
function meteredSentence({ transports }: Run): string {
  return transports
    .flatMap(({ transport, billed, messages }) => {
      const { path, usage } = billed[0]!
      const [item, units] = Object.entries(usage)[0]!
      return `${transport} ${(units / messages).toFixed(2)} ${item} a message (${path})`
    })
    .join(', ')
}

function billed(run: Run): string {
  const { header, rows, left } = measuredTables(run)[2]!
  return markdownTable(header, rows, left)
}

function comparison(run: Run): string {
  const { header, rows } = compareTable([...published, ...measuredColumns(run)])
  return markdownTable(header, rows)
}

/** Why today's figures are others, with the figures. */
function differences(run: Run): string {
  const [mqtt, https] = ['MQTT', 'HTTPS, a connection a message'].map(
    (title) => measuredColumns(run).find((column) => column.title === title)!,
  )
  const [wasMqtt, wasHttp] = published as readonly [ByteColumn, ByteColumn]
  const ratio = (a: ByteColumn, b: ByteColumn, n: number) => `${(bytesOf(b, n) / bytesOf(a, n)).toFixed(1)} times`
  return `For 100 messages HTTP was ${ratio(wasMqtt, wasHttp, 100)} MQTT, and is ${ratio(mqtt!, https!, 100)} now: the order of the published table holds, and so does its reason: not the protocol, but a handshake for each message. What is explained below with “presumably” is our reading of a table whose method is not printed.

- **Opening MQTT costs ${formatCount(mqtt!.open)} bytes instead of ${formatCount(wasMqtt.open)}.** Here both sides show a certificate (ECDSA P-256, a chain of one); theirs was TLS 1.2, where a service has a chain of certificates and a device, presumably, a token. And OpenSSL 3.5 agrees on keys with X25519MLKEM768: 1,234 bytes more up and 1,065 more down than with X25519 alone, against computers that do not exist yet.
- **Opening HTTPS costs ${formatCount(https!.open)} instead of ${formatCount(wasHttp.open)}.** The published figure is less than half of what MQTT paid for the same TLS, too small for a full handshake with a chain of certificates: presumably sessions were resumed, or part of it counted with the message. Here every handshake is a full one.
- **An HTTPS message costs ${formatCount(https!.message)} instead of ${formatCount(wasHttp.message)}.** Presumably a token in every request, long heads and the rest of the handshake; here a certificate says who the device is, once a connection. With the connection kept, that is all a message costs, and HTTPS is no longer an order of magnitude away.
- **An MQTT message costs ${formatCount(mqtt!.message)} instead of ${formatCount(wasMqtt.message)}**, for a payload of ${formatCount(run.transports[0]!.message.payloadBytes)} bytes and a topic of ${formatCount(run.transports[0]!.message.topicBytes)}; theirs are not printed.
- **Closing costs ${formatCount(mqtt!.close)} instead of ${formatCount(wasMqtt.close)}:** DISCONNECT, the alerts of TLS and their segments. HTTPS closes too, which their table leaves out.`
}

function unknownPrices(): string {
  const counts = regions().map((region) => {
    const all = Object.values(loadPriceBook(region).prices)
    return `${region} ${all.filter(({ confidence }) => confidence === 'unknown').length} of ${all.length}`
  })
  return `${counts.join(', ')}. \`weir cost prices --region R\` names them.`
}
