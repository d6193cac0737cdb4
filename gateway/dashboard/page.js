// Draws what the gateway tells once a second. Nothing is kept here but the last look, for rates; every text is set as text.

const at = (id) => document.getElementById(id)
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const usd = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumFractionDigits: 2 })

const count = (n) => (n < 100_000 ? whole.format(n) : short.format(n))
const perSecond = (n) => (n === undefined ? '–' : n === 0 ? '0/s' : n < 10 ? `${n.toFixed(1)}/s` : `${count(n)}/s`)
const duration = (ms) => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`
  return `${(ms / 3_600_000).toFixed(1)} h`
}

/** Rates of named totals since the look before. */
const before = new Map()
let now = 0
function rate(name, total) {
  const last = before.get(name)
  before.set(name, { total, at: now, rate: last?.rate })
  if (!last || now <= last.at) return last?.rate
  const fresh = Math.max(0, ((total - last.total) * 1_000) / (now - last.at))
  // A little of the past, so that numbers can be read.
  const smooth = last.rate === undefined ? fresh : fresh * 0.4 + last.rate * 0.6
  before.get(name).rate = smooth < 0.05 ? 0 : smooth
  return before.get(name).rate
}

function element(tag, className, ...children) {
  const made = document.createElement(tag)
  made.className = className
  made.append(...children)
  return made
}

/** `share` from 0 to 1 fills the line at the foot of the card; `state` is warn, bad or nothing. */
function card({ name, value = '', more = '', share = 0, state = '' }) {
  const fill = element('span', 'fill')
  fill.style.setProperty('--share', Math.min(1, Math.max(0, share)))
  const made = element('div', `card ${state}`, element('div', 'name', element('span', '', name), element('span', '', value)))
  if (more) made.append(element('div', 'more', more))
  made.append(fill)
  made.title = `${name} ${value} ${more}`
  return made
}

function fill(id, cards, nothing) {
  at(id).replaceChildren(...(cards.length > 0 ? cards.map(card) : [element('p', 'quiet', nothing)]))
}

const sum = (list, of = (x) => x) => list.reduce((total, item) => total + of(item), 0)
const largest = (list) => Math.max(1e-9, ...list)

function fleet({ doors, connections, ledger }) {
  const rows = doors.map(({ door, value }) => ({ name: door, per: rate(`door ${door}`, value) ?? 0, value }))
  const most = largest(rows.map(({ per }) => per))
  const refused = sum(Object.values(ledger.refused))
  const cards = [{ name: 'connected', value: count(connections) }]
  for (const { name, per, value } of rows) cards.push({ name, value: perSecond(per), more: `${count(value)} so far`, share: per / most })
  if (refused > 0) {
    const [[code]] = Object.entries(ledger.refused).sort(([, a], [, b]) => b - a)
    cards.push({ name: 'refused', value: count(refused), more: `mostly ${code}`, share: 1, state: 'warn' })
  }
  fill('fleet', cards, 'nobody yet')
}

function broker({ ledger }) {
  const shed = sum(Object.values(ledger.shed))
  const cards = [
    { name: 'accepted', value: count(ledger.accepted), more: ledger.recovered > 0 ? `${count(ledger.recovered)} of an earlier run` : '' },
    {
      name: 'in the spool',
      value: count(ledger.queued),
      more: 'on disk, not delivered yet',
      share: ledger.queued / Math.max(1_000, ledger.queued),
      state: ledger.queued > 1_000 ? 'warn' : '',
    },
  ]
  if (ledger.pending > 0) cards.push({ name: 'pending', value: count(ledger.pending), more: 'not acknowledged yet' })
  if (shed > 0) cards.push({ name: 'shed', value: count(shed), more: 'QoS 0, dropped to save the others', share: 1, state: 'warn' })
  fill('broker', cards)
}

function rules({ rules, deliveries, failures }) {
  const rows = rules.map(({ name, filter, matches }) => ({ name, filter, per: rate(`rule ${name}`, matches) ?? 0 }))
  const most = largest(rows.map(({ per }) => per))
  fill(
    'rules',
    rows.map(({ name, filter, per }) => {
      const actions = deliveries.filter(({ rule }) => rule === name).map(({ action }) => action)
      const failed = sum(
        failures.filter(({ rule }) => rule === name),
        ({ value }) => value,
      )
      const more = [failed > 0 ? `${count(failed)} failed` : '', actions.length > 0 ? `→ ${[...new Set(actions)].join(', ')}` : '', filter]
      return { name, value: perSecond(per), more: more.filter(Boolean).join(' · '), share: per / most, state: failed > 0 ? 'warn' : '' }
    }),
    'no rules',
  )
}

function queues({ queues }) {
  const shown = queues.filter(({ isDeadLetterQueue, waiting = 0, inFlight = 0 }) => !isDeadLetterQueue || waiting + inFlight > 0)
  const most = largest(shown.map(({ waiting = 0 }) => Math.max(waiting, 100)))
  fill(
    'queues',
    shown.map(({ queue, isDeadLetterQueue, waiting, inFlight, oldestMs, outlook }) => {
      if (waiting === undefined) return { name: queue, value: 'away', share: 1, state: 'bad' }
      const more = [inFlight > 0 ? `${count(inFlight)} in hand` : '', oldestMs ? `oldest ${duration(oldestMs)}` : '', outlook]
      return {
        name: queue,
        value: count(waiting),
        more: more.filter(Boolean).join(' · '),
        share: waiting / most,
        state: isDeadLetterQueue ? 'bad' : '',
      }
    }),
    'asking …',
  )
}

const maxTenants = 6

function tenants({ tenants }) {
  // FIFO queues are fair between devices, and those are no tenants; neither is whoever has no name.
  const all = tenants
    .filter(({ queue }) => !queue.endsWith('.fifo'))
    .flatMap(({ queue, tenants }) => tenants.map((tenant) => ({ queue, ...tenant })))
    .filter(({ tenant }) => tenant !== '-')
  const busiest = all.sort((a, b) => b.noisy - a.noisy || b.received - a.received).slice(0, maxTenants)
  const cards = busiest.map(({ tenant, queue, share, dwellMs, waiting, noisy }) => ({
    name: tenant,
    value: `${whole.format(share * 100)} %`,
    more: [queue, `p95 ${duration(dwellMs.p95)}`, waiting > 0 ? `${count(waiting)} waiting` : '', noisy ? 'noisy' : '']
      .filter(Boolean)
      .join(' · '),
    share,
    state: noisy ? 'warn' : '',
  }))
  if (all.length > maxTenants) cards.push({ name: `${all.length - maxTenants} more` })
  fill('tenants', cards, 'nothing was consumed yet')
}

function consumers({ consumers }) {
  fill(
    'consumers',
    consumers.map(({ queue, handled, failed = 0, buried = 0, inFlight, waiting, pace }) => ({
      name: queue,
      value: perSecond(rate(`handled ${queue}`, handled)),
      more: [
        `${count(inFlight)} running`,
        `${count(waiting)} waiting`,
        pace < 1 ? `slowed to ${whole.format(pace * 100)} %` : '',
        failed > 0 ? `${count(failed)} failed` : '',
        buried > 0 ? `${count(buried)} buried` : '',
      ]
        .filter(Boolean)
        .join(' · '),
      share: pace,
      state: buried > 0 ? 'bad' : pace < 1 ? 'warn' : '',
    })),
    'none in this process',
  )
}

function heads(river) {
  const { ledger, deliveries, consumers, buried, health, monthlyDollars } = river
  const alerts = sum(
    deliveries.filter(({ noun }) => noun === 'topic'),
    ({ value }) => value,
  )
  at('in').textContent = perSecond(rate('in', ledger.accepted))
  at('out').textContent = perSecond(
    rate(
      'out',
      sum(deliveries, ({ value }) => value),
    ),
  )
  at('handled').textContent = perSecond(
    rate(
      'handled',
      sum(consumers, ({ handled }) => handled),
    ),
  )
  at('alerts').textContent = count(alerts)
  at('dead').textContent = count(ledger.dead + buried)
  at('dead').className = ledger.dead + buried > 0 ? 'bad' : ''
  at('dollars').textContent = monthlyDollars === undefined ? '–' : usd.format(monthlyDollars)
  const { status, reasons, details = {} } = health
  at('health').textContent = status === 'ok' ? 'flowing' : `degraded: ${reasons.join(', ')}`
  at('health').className = `pill ${status === 'ok' ? 'good' : 'bad'}`
  at('health').title = Object.values(details).join('\n')
}

function ledgerLine({ ledger }) {
  const { accepted, split, delivered, unmatched, dead, queued, lost, refused, balanced } = ledger
  const number = (n) => element('b', '', count(n))
  at('ledger').replaceChildren(
    number(accepted),
    ' accepted + ',
    number(split),
    ' split = ',
    number(delivered),
    ' delivered + ',
    number(unmatched),
    ' unmatched + ',
    number(dead),
    ' dead + ',
    number(queued),
    ' queued + ',
    number(lost),
    ' lost',
  )
  const codes = Object.entries(refused).map(([code, n]) => `${count(n)} ${code}`)
  at('ledger').append(element('small', '', codes.length > 0 ? `refused: ${codes.join(', ')}` : 'nothing was refused'))
  at('balanced').textContent = balanced ? 'balanced' : 'out of balance'
  at('balanced').className = `pill ${balanced ? 'good' : 'bad'}`
}

/** A bed from column to column, as wide as what flows in it, on a scale where ten times as much looks one step wider. */
function water(flows) {
  const svg = at('water')
  const columns = [...document.querySelectorAll('main section')].map((column) => column.getBoundingClientRect())
  const frame = svg.getBoundingClientRect()
  const y = frame.height / 2
  while (svg.childElementCount < 2 * flows.length) svg.append(document.createElementNS('http://www.w3.org/2000/svg', 'path'))
  flows.forEach((flow, i) => {
    const [bed, line] = [svg.children[2 * i], svg.children[2 * i + 1]]
    const path = `M ${columns[i].right - frame.left - 8} ${y} H ${columns[i + 1].left - frame.left + 8}`
    for (const each of [bed, line]) each.setAttribute('d', path)
    bed.setAttribute('class', 'bed')
    bed.setAttribute('stroke-width', 4 + 9 * Math.log10(1 + (flow ?? 0)))
    line.setAttribute('class', flow ? 'flow' : 'flow dry')
  })
}

function draw(river) {
  now = river.at
  for (const part of [heads, fleet, broker, rules, queues, tenants, consumers, ledgerLine]) part(river)
  const into = before.get('in')?.rate
  const matched = rate(
    'matched',
    sum(river.rules, ({ matches }) => matches),
  )
  const out = before.get('out')?.rate
  const handled = before.get('handled')?.rate
  water([into, into, matched && out, handled, handled])
}

const maxNotes = 60

function note({ at: when, level, event, ...fields }) {
  const { detail, ...rest } = fields
  const told = Object.entries(rest).filter(([name, value]) => typeof value !== 'object' && !['messageId', 'instance'].includes(name))
  const text = [...told.map(([name, value]) => `${name} ${value}`), detail].filter(Boolean).join(' · ')
  const time = new Date(when).toLocaleTimeString('en-GB')
  const line = element(
    'li',
    '',
    element('span', 'quiet', time),
    element('span', level === 'error' ? 'bad' : level === 'warn' ? 'warn' : '', event),
    element('span', 'what', text),
  )
  line.title = text
  const list = at('notes')
  list.querySelector('li.quiet')?.remove()
  list.prepend(line)
  while (list.childElementCount > maxNotes) list.lastElementChild.remove()
}

const source = new EventSource('/api/river')
source.addEventListener('river', ({ data }) => draw(JSON.parse(data)))
source.addEventListener('note', ({ data }) => note(JSON.parse(data)))
source.addEventListener('error', () => {
  at('health').textContent = 'the gateway does not answer'
  at('health').className = 'pill bad'
})
