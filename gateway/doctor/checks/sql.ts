// What parses and will still surprise on AWS: versions, filters, functions that answer nothing, bodies no target can carry.
import { isExternal } from '../../rules/sql/resolvers.ts'
import { filterTooDeep } from '../../rules/sql/statement.ts'
import type { CheckTable } from '../check.ts'
import type { CheckedRule } from '../estate.ts'
import { callsIn, placeOf } from '../tree.ts'

const unreachable = /^\$aws\/rules(\/|$)|^\$aws\/things\/[^/]+\/jobs(\/|$)/

export const sqlChecks = {
  'sql-version-missing': {
    severity: 'warning',
    means: 'a rule without awsIotSqlVersion: the API takes 2015-10-08, where nested data and numbers behave differently',
    fix: 'write "awsIotSqlVersion": "2016-03-23"',
    *find({ rules }) {
      for (const { path, raw } of rules) {
        if (raw.awsIotSqlVersion === undefined)
          yield { file: path, field: 'awsIotSqlVersion', text: 'the rule names no SQL version and gets 2015-10-08' }
      }
    },
  },
  'sql-version-beta': {
    severity: 'warning',
    means: 'the beta SQL version, which AWS may change at any time',
    fix: 'write "awsIotSqlVersion": "2016-03-23"',
    *find({ rules }) {
      for (const { path, file } of rules) {
        if (file.awsIotSqlVersion === 'beta') yield { file: path, field: 'awsIotSqlVersion', text: 'the rule asks for beta' }
      }
    },
  },
  'filter-too-deep': {
    severity: 'error',
    means: 'a FROM that no topic of AWS IoT Core can match: over 7 slashes',
    fix: 'shorten the topics',
    *find({ rules }) {
      for (const rule of rules) if (rule.statement.warnings.includes(filterTooDeep)) yield { ...fromPlace(rule), text: filterTooDeep }
    },
  },
  'filter-reserved': {
    severity: 'error',
    means: 'a FROM on topics that never pass through the broker: Basic Ingest and job requests',
    fix: 'leave FROM out for a rule that is only reached by Basic Ingest, or select from another topic',
    *find({ rules }) {
      for (const rule of rules) {
        const { filter = '' } = rule.statement
        if (unreachable.test(filter)) yield { ...fromPlace(rule), text: `no rule can select from ${filter}` }
      }
    },
  },
  'filter-everything': {
    severity: 'warning',
    means: 'a FROM that matches every message of the account, and is billed for each',
    fix: 'name the first levels of the topics that are meant',
    *find({ rules }) {
      for (const rule of rules) {
        if (/^(#|\+\/#)$/.test(rule.statement.filter ?? ''))
          yield { ...fromPlace(rule), text: 'the rule runs for every message of the account' }
      }
    },
  },
  'filter-missing': {
    severity: 'note',
    means: 'a statement without FROM: only Basic Ingest reaches the rule',
    fix: 'publish to $aws/rules/<name>/…, or give a FROM',
    *find({ rules }) {
      for (const { path, file, statement } of rules) {
        if (statement.filter === undefined)
          yield { file: path, field: 'sql', text: `only a publish to $aws/rules/${file.name} reaches the rule` }
      }
    },
  },
  'sql-external-function': {
    severity: 'warning',
    means: 'a function that calls another AWS service: deploys, and the local gateway refuses the rule',
    fix: 'grant its role there; to run the rule here, take the value from the payload',
    *find({ rules }) {
      for (const rule of rules) {
        for (const call of callsIn(rule.statement.tree)) {
          if (isExternal(call.name.toLowerCase())) yield { ...placeOf(rule, call.pos), text: `${call.name} calls another service` }
        }
      }
    },
  },
  'sql-topic-level': {
    severity: 'warning',
    means: 'topic(n) beyond the levels of FROM: always Undefined',
    fix: 'count the levels from 1',
    *find({ rules }) {
      for (const rule of rules) {
        const { filter } = rule.statement
        if (filter === undefined || filter.endsWith('#')) continue
        const levels = filter.split('/').length
        for (const { level, pos } of topicLevels(rule)) {
          if (level > levels) yield { ...placeOf(rule, pos), text: `topic(${level}) has no value: ${filter} has ${levels} levels` }
        }
      }
    },
  },
  'sql-warning': {
    severity: 'warning',
    means: 'what AWS takes differently, or the author hardly meant',
    fix: 'see docs/sql.md',
    *find({ rules }) {
      for (const { path, statement } of rules) {
        for (const text of statement.warnings) if (text !== filterTooDeep) yield { file: path, field: 'sql', text }
      }
    },
  },
} as const satisfies CheckTable

function fromPlace(rule: CheckedRule) {
  return placeOf(rule, rule.statement.tree.filter?.pos ?? 0)
}

function topicLevels(rule: CheckedRule): readonly { readonly level: number; readonly pos: number }[] {
  return callsIn(rule.statement.tree).flatMap(({ name, args, pos }) => {
    const [first] = args
    const level = first?.kind === 'literal' ? Number(first.value) : Number.NaN
    return name.toLowerCase() === 'topic' && Number.isFinite(level) ? [{ level, pos }] : []
  })
}
