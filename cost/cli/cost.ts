// `weir cost`: what a fleet costs a month over each path, and where one path becomes cheaper than another.
import { once } from 'node:events'
import { createReadStream, statSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Command, Option } from 'commander'
import { compareTable, measuredColumns, published } from '../compare.ts'
import { type AxisName, axes, type Crossover, crossover, domainOf } from '../crossover.ts'
import { CostError } from '../errors.ts'
import { type Comparison, estimateAll } from '../estimate.ts'
import { formatPoint, formatRanges } from '../format.ts'
import { measuredWires, type Run, readRun, workloadOf } from '../measurement.ts'
import { loadPriceBook } from '../price-book.ts'
import { questions } from '../questions/index.ts'
import { reportHtml } from '../report/html.ts'
import { comparisonJson, crossoverJson, reportJson } from '../report/json.ts'
import { questionMarkdown, reportMarkdown } from '../report/markdown.ts'
import { isBalanced } from '../report/measured.ts'
import { answerAll, buildReport, defaultWorkload, mainCrossovers } from '../report/report.ts'
import { formatComparison, formatCrossovers, formatMeasuredTables, formatRun } from '../report/terminal.ts'
import { textTable } from '../table.ts'
import type { Workload } from '../workload.ts'
import { priceLines } from './price.ts'
import { formatPrices, pricesJson } from './prices.ts'
import { type RunFlags, runMeasured } from './run.ts'
import { formatSweep, readPoint, sweep, sweepJson } from './sweep.ts'
import {
  readAllowances,
  readPath,
  readPaths,
  readWorkload,
  type WorkloadFlags,
  withPathOptions,
  withWorkloadOptions,
} from './workload-options.ts'

interface Json {
  readonly json?: boolean
}

/** What the published table has, and what became of the rest since. */
const comparedTransports = 'mqtt,https-per-message,https,websocket'

const exitCodes = 'Exit codes: 0 done, 1 a price is not known or the path cannot carry the workload, 2 wrong usage or bad input.'

export function costCommand(): Command {
  const cost = new Command('cost')
    .description(
      'What a fleet costs a month over MQTT, HTTP and WebSocket, and when the answer turns. Alone: 10,000 devices, 200 bytes a minute.',
    )
    .option('--json', 'as one JSON document')
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `\nExamples:\n  weir cost                                  a short measured run, then the table; half a minute\n  weir cost run --transports mqtt,https --out run.json\n  weir cost estimate --devices 500 --interval 5m --payload 120\n  weir cost crossover iot-mqtt api-http-sqs --over interval\n\n${exitCodes}`,
    )
    .action(
      answering(async ({ json }: Json) => {
        const run = await runMeasured({})
        const report = summaryOf(defaultWorkload, run)
        return json ? toText(summaryJson(report, run)) : formatSummary(report, run)
      }),
    )
  addRun(cost)
  addCompare(cost)
  addEstimate(cost)
  addSweep(cost)
  addCrossover(cost)
  addQuestions(cost)
  addReport(cost)
  addPrices(cost)
  addPrice(cost)
  return cost
}

interface Summary {
  readonly comparison: Comparison
  readonly crossovers: readonly Crossover[]
}

function summaryOf(workload: Workload, run: Run): Summary {
  const wires = measuredWires(run)
  return { comparison: estimateAll(workload, undefined, undefined, wires), crossovers: mainCrossovers(workload, wires) }
}

const formatSummary = ({ comparison, crossovers }: Summary, run: Run) =>
  [formatRun(run), formatComparison(comparison), formatCrossovers(crossovers)].join('\n\n')

const summaryJson = ({ comparison, crossovers }: Summary, run: Run) => ({
  ...comparisonJson(comparison),
  crossovers: crossovers.map(crossoverJson),
  run,
})

interface RunOutputs extends Json {
  readonly out?: string
  readonly html?: string
  readonly md?: string
}

const runExamples = `
Examples:
  weir cost run                                              every transport, 20 devices, 200-byte readings; half a minute
  weir cost run --transports mqtt,https --payload 1000 --out run.json
  weir cost run --scenario examples/fleet/cold-chain.json --duration 10s --html cost.html
  weir cost report --from run.json --devices 50000 --interval 10s --html cost.html    another fleet, no second run

Each transport drives the same seeded fleet over TLS 1.3 against one gateway that the run starts, one after the other. Connections that
say nothing come first, then connections that are only kept alive, then readings; what one costs is the difference.`

function addRun(cost: Command): void {
  withRunOptions(cost.command('run'))
    .description('Measure: run a fleet over each transport, count what AWS bills and what the wire carries, and price it.')
    .option('--transports <list>', 'all, or some of mqtt, mqtt-ws, https, websocket, reconnect-per-message, https-per-message', 'all')
    .option('--out <file>', 'keep the run, for report --from')
    .option('--html <file>', 'the report as one self-contained page')
    .option('--md <file>', 'the report as Markdown')
    .option('--json', 'as one JSON document')
    .addHelpText('after', `${runExamples}\n${exitCodes}`)
    .action(
      answering(async (flags: RunFlags & RunOutputs) => {
        for (const file of [flags.out, flags.html, flags.md]) if (file) await checkWritable(file)
        const run = await runMeasured(flags)
        const workload = workloadOf(run)
        if (flags.out) await write(flags.out, `${JSON.stringify(run, undefined, 1)}\n`)
        const report = flags.html || flags.md ? buildReport(workload, { run }) : undefined
        if (flags.html) await write(flags.html, reportHtml(report!))
        if (flags.md) await write(flags.md, reportMarkdown(report!))
        if (!run.transports.every(({ ledger, messages }) => isBalanced(ledger, messages))) process.exitCode = 1
        const summary = summaryOf(workload, run)
        if (flags.json) return toText(summaryJson(summary, run))
        return [formatRun(run), formatMeasuredTables(run), formatComparison(summary.comparison), formatCrossovers(summary.crossovers)].join(
          '\n\n',
        )
      }),
    )
}

function addCompare(cost: Command): void {
  withRunOptions(cost.command('compare'))
    .description('Bytes of MQTT and HTTP for 1, 10 and 100 messages: the published table of 2018, and the same one measured now.')
    .option('--from <file>', 'a run that weir cost run --out wrote, instead of a new one')
    .option('--json', 'as one JSON document')
    .addHelpText('after', `\nExamples:\n  weir cost compare\n  weir cost compare --from run.json\n\n${exitCodes}`)
    .action(
      answering(async (flags: RunFlags & Json & { readonly from?: string }) => {
        const run = flags.from ? await readRun(flags.from) : await runMeasured({ ...flags, transports: comparedTransports })
        const columns = [...published, ...measuredColumns(run)]
        const { header, rows } = compareTable(columns)
        return flags.json ? toText({ columns, at: run.at, tls: run.tls }) : textTable(header, rows)
      }),
    )
}

function withRunOptions(command: Command): Command {
  return command
    .option('--scenario <file>', 'a fleet scenario; its models, sizes and rates, over each transport')
    .option('--devices <n>', 'simulated devices (default: 20, or as the scenario says)')
    .option('--duration <duration>', 'how long each transport sends readings (default: 1.5s, or as the scenario says)')
    .option('--interval <duration>', 'time between two readings of a simulated device (default: 300ms, or as the scenario says)')
    .option('--payload <bytes>', 'size of a reading (default: 200)')
    .option('--qos <qos>', '0 or 1')
    .option('--seed <n>', 'same seed, same readings (default: 7)')
}

function addEstimate(cost: Command): void {
  withPathOptions(withWorkloadOptions(cost.command('estimate')))
    .description('Price a workload over every path, or the ones chosen, without a run.')
    .option('--json', 'as one JSON document')
    .addHelpText(
      'after',
      `\nExamples:\n  weir cost estimate --devices 50000 --interval 10s --payload 400 --region eu-west-1\n  weir cost estimate --pack 25 --protocol mqtt\n\nA path without a price is listed with the reason; when every path that was chosen is like that, the exit code is 1.\n${exitCodes}`,
    )
    .action(
      answering((flags: WorkloadFlags & Json) => {
        const comparison = estimateAll(readWorkload(flags), readPaths(flags), readAllowances(flags))
        if (comparison.estimates.length === 0) throw new CostError(comparison.unpriced.map(({ reason }) => reason).join('; '), 1)
        return flags.json ? toText(comparisonJson(comparison)) : formatComparison(comparison)
      }),
    )
}

function addSweep(cost: Command): void {
  withPathOptions(withWorkloadOptions(cost.command('sweep')))
    .description('What if: the same workload for several intervals, fleets or payloads.')
    .addOption(new Option('--over <axis>', 'what changes').choices(Object.keys(axes)).makeOptionMandatory())
    .option('--values <list>', 'separated by commas, such as 10s,1m,1h or 100,5000')
    .option('--json', 'as one JSON document')
    .addHelpText(
      'after',
      `\nExamples:\n  weir cost sweep --over interval\n  weir cost sweep --over payload --values 200,5000,20000 --protocol mqtt\n\n${exitCodes}`,
    )
    .action(
      answering((flags: WorkloadFlags & Json & { over: AxisName; values?: string }) => {
        const found = sweep(flags.over, readWorkload(flags), readPaths(flags), readAllowances(flags), flags.values)
        return flags.json ? toText(sweepJson(found)) : formatSweep(found)
      }),
    )
}

function addCrossover(cost: Command): void {
  withWorkloadOptions(cost.command('crossover'))
    .description('Where one path becomes cheaper than another, solved exactly.')
    .argument('<a>', 'a path, such as iot-mqtt')
    .argument('<b>', 'another')
    .addOption(new Option('--over <axis>', 'what changes').choices(Object.keys(axes)).default('interval'))
    .option('--from <value>', 'where to begin, such as 1s, 10 or 100')
    .option('--to <value>', 'where to end')
    .option('--json', 'as one JSON document')
    .addHelpText(
      'after',
      `\nExamples:\n  weir cost crossover iot-mqtt api-http-sqs\n  weir cost crossover iot-mqtt weir-ec2 --over devices --labour 2000 --to 1000000\n\n${exitCodes}`,
    )
    .action(
      answering((flags: WorkloadFlags & Json & { over: AxisName; from?: string; to?: string }, first, second) => {
        const [a, b, workload] = [readPath(first!), readPath(second!), readWorkload(flags)]
        const [least, most] = domainOf(flags.over, workload, a, b)
        const domain = [flags.from ? readPoint(flags.over, flags.from) : least, flags.to ? readPoint(flags.over, flags.to) : most] as const
        if (domain[0] >= domain[1]) throw new CostError(`--from must be less than --to, not ${domain[0]} and ${domain[1]}`)
        const found = crossover(a, b, flags.over, workload, { domain })
        const between = domain.map((n) => formatPoint(flags.over, n)).join(' to ')
        return flags.json ? toText(crossoverJson(found)) : `${formatRanges(found)} (solved from ${between})`
      }),
    )
}

function addQuestions(cost: Command): void {
  withWorkloadOptions(cost.command('questions'))
    .description('The ten questions a team asks before it chooses, answered with formula, inputs, figures and confidence.')
    .argument('[numbers...]', 'which ones; all when left out')
    .option('--json', 'as one JSON document')
    .addHelpText('after', `\nExamples:\n  weir cost questions\n  weir cost questions 2 5 --interval 10s --payload 400\n\n${exitCodes}`)
    .action(async (numbers: string[], flags: WorkloadFlags & Json) =>
      answering((given: WorkloadFlags & Json) => {
        const wrong = numbers.find((text) => !(Number(text) >= 1 && Number(text) <= questions.length))
        if (wrong !== undefined) throw new CostError(`"${wrong}" is not a question; there are ${questions.length}`)
        const asked = answerAll(readWorkload(given), undefined, numbers.length > 0 ? numbers.map(Number) : undefined)
        return given.json ? toText(asked) : asked.map(questionMarkdown).join('\n\n')
      })(flags),
    )
}

function addReport(cost: Command): void {
  withWorkloadOptions(cost.command('report'))
    .description('Everything at once: paths, crossovers, curves, questions, assumptions. Without a file, as Markdown on the terminal.')
    .option('--from <file>', 'bytes of a measured run that weir cost run --out wrote; its message sizes where no flag says otherwise')
    .option('--html <file>', 'one self-contained page')
    .option('--md <file>', 'Markdown')
    .option('--json', 'as one JSON document')
    .addHelpText(
      'after',
      `\nExamples:\n  weir cost report --html cost.html\n  weir cost report --from run.json --devices 50000 --interval 10s --md cost.md\n\n${exitCodes}`,
    )
    .action(
      answering(async (flags: WorkloadFlags & Json & { html?: string; md?: string; from?: string }) => {
        const run = flags.from ? await readRun(flags.from) : undefined
        const workload = readWorkload(flags, run && workloadOf(run))
        for (const file of [flags.html, flags.md]) if (file) await checkWritable(file)
        const report = buildReport(workload, { allowances: readAllowances(flags), run })
        if (flags.html) await write(flags.html, reportHtml(report))
        if (flags.md) await write(flags.md, reportMarkdown(report))
        if (flags.json) return toText(reportJson(report))
        return flags.html || flags.md ? undefined : reportMarkdown(report)
      }),
    )
}

function addPrices(cost: Command): void {
  cost
    .command('prices')
    .description('Print the price book of a region: units, steps, tiers, allowances, sources, dates and what is not known.')
    .option('--region <region>', 'AWS region', 'us-east-1')
    .option('--json', 'as one JSON document')
    .addHelpText('after', `\nExamples:\n  weir cost prices\n  weir cost prices --region eu-west-1 --json\n\n${exitCodes}`)
    .action(
      answering(({ region, json }: Json & { region: string }) => {
        const book = loadPriceBook(region)
        return json ? toText(pricesJson(book)) : formatPrices(book)
      }),
    )
}

function addPrice(cost: Command): void {
  cost
    .command('price')
    .description('Price raw usage: JSON Lines of {id, inputs} to JSON Lines of {id, quantities, lineItems, totalUsd}.')
    .argument('[file]', 'JSON Lines; stdin when left out')
    .option('--jsonl', 'JSON Lines in and out (the only format, so this may be left out)')
    .addHelpText(
      'after',
      `\nExample:\n  echo '{"id":"a","inputs":{"devices":1000,"messagesPerDeviceDay":1440,"payloadBytes":200}}' | weir cost price --jsonl\n\nA line that cannot be priced becomes {id, error}, and the others go on. ${exitCodes}`,
    )
    .action(async (file: string | undefined) =>
      answering(async () => {
        process.exitCode = await priceLines(file ? await openFile(file) : process.stdin, process.stdout, process.stderr)
        return undefined
      })({}),
    )
}

/** Prints what the action answers; a CostError becomes its one sentence and exit code. Commander hands arguments first, then flags. */
function answering<Flags>(action: (flags: Flags, ...operands: (string | undefined)[]) => string | undefined | Promise<string | undefined>) {
  return async (...args: unknown[]): Promise<void> => {
    const at = args.findIndex((arg) => typeof arg === 'object' && arg !== null)
    try {
      const answer = await action(args[at] as Flags, ...(args.slice(0, at) as string[]))
      if (answer !== undefined) process.stdout.write(`${answer}\n`)
    } catch (error) {
      if (!(error instanceof CostError)) throw error
      process.stderr.write(`${error.message}\n`)
      process.exitCode = error.exitCode
    }
  }
}

async function openFile(file: string): Promise<Readable> {
  const refuse = (code: unknown, cause?: unknown) => new CostError(`${file} cannot be read (${code})`, 2, { cause })
  const stream = createReadStream(file)
  await once(stream, 'open').catch((cause) => {
    throw refuse(cause.code, cause)
  })
  if (statSync(file).isDirectory()) throw refuse('EISDIR')
  return stream
}

/** Before the work, not after it. */
async function checkWritable(file: string): Promise<void> {
  const handle = await open(file, 'a').catch((cause) => {
    throw new CostError(`${file} cannot be written (${cause.code})`, 2, { cause })
  })
  await handle.close()
}

async function write(file: string, content: string): Promise<void> {
  await writeFile(file, content)
  process.stderr.write(`${file}\n`)
}

const toText = (value: unknown) => JSON.stringify(value)
