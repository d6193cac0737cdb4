// What AWS's documentation leaves open or says twice, and what this evaluator does: printed in docs/sql.md, cited in the code by id.

export interface Choice {
  readonly question: string
  readonly choice: string
}

/** Places where the documentation contradicts itself. */
export const contradictions: Readonly<Record<string, Choice>> = {
  'X-1': {
    question: 'names with digits need get(), but examples use `data1`',
    choice: 'digits inside a name are fine; a name starts with a letter or `_`',
  },
  'X-2': { question: 'Decimal to Int: nearest, or cut', choice: 'an index loses its fraction, towards zero' },
  'X-3': { question: '`<>` on Arrays', choice: 'the plain opposite of `=`' },
  'X-4': {
    question: 'Int / Int: an Int, or a fraction',
    choice: "an Int: `(75 - 32) * 5 / 9` is 23. A String operand is a Decimal, so `'7' / 2` is 3.5",
  },
  'X-5': { question: 'round() of halves', choice: 'away from zero' },
  'X-6': { question: 'bitnot of another type', choice: 'Undefined' },
  'X-7': { question: 'bitnot(13) printed as 2', choice: 'two’s complement: -14' },
  'X-8': { question: 'cast of a String to String', choice: 'the String itself' },
  'X-9': { question: 'concat of one argument', choice: 'the argument, unchanged: concat(1) is the Int 1' },
  'X-10': { question: 'ltrim(" h i ") printed as "hi "', choice: '"h i "' },
  'X-11': { question: 'the bitxor example is spelled bitor', choice: 'a slip of the page' },
  'X-12': { question: 'the key in the get_user_properties example', choice: 'a slip of the page' },
  'X-13': { question: 'FROM without quotes in examples', choice: 'the filter stands in quotes; anything else is refused' },
  'X-14': { question: 'a digit in the example of array literals', choice: 'a slip of the page' },
  'X-15': { question: '“rounded down” in cast, bit functions, lpad, chr', choice: 'floor' },
  'X-16': { question: 'the syntax line of EXISTS', choice: 'as the examples have it' },
}

/** Questions the documentation does not answer. */
export const gaps: Readonly<Record<string, Choice>> = {
  'U-1': {
    question: 'escapes in string literals',
    choice: 'a quote is doubled or has a backslash before it, or the other quote style is used; any other backslash is itself',
  },
  'U-2': { question: 'precedence', choice: 'OR, AND, NOT, comparisons and IN, `+ -`, `* / %`, unary `-`, path; the loosest first' },
  'U-3': { question: 'defects of 2015-10-08 with nested JSON', choice: 'not imitated' },
  'U-4': { question: 'a later construct in a 2015-10-08 rule', choice: 'refused when the rule is loaded, with the version it needs' },
  'U-5': { question: '`SELECT *, f() AS x` on a payload that is not a JSON object', choice: '`*` brings no keys; the others are there' },
  'U-6': { question: '`*` on a number, array or other JSON value', choice: 'the value as it is' },
  'U-7': { question: 'a leading wildcard and topics with `$`', choice: 'does not match, as in MQTT' },
  'U-8': { question: 'Basic Ingest and FROM', choice: 'FROM does not count; WHERE does' },
  'U-9': { question: '`* AS m`', choice: '`{"m": payload}`' },
  'U-10': {
    question: 'the key of an item without AS',
    choice: 'the last name of a path, or the name of the function; anything else is refused and needs AS',
  },
  'U-11': { question: 'two items of one key', choice: 'the later wins; an Undefined one changes nothing; dotted aliases merge' },
  'U-12': { question: 'Undefined inside an Array', choice: 'rows of a nested query leave it out; an array literal writes null' },
  'U-13': { question: 'wrong number of arguments', choice: 'Undefined, and a warning when the rule is loaded' },
  'U-14': { question: 'scientific notation', choice: 'Decimals below 1E-6 and beyond 34 digits; Ints never' },
  'U-15': { question: 'Undefined in AND and OR', choice: 'Undefined, whatever the other operand is' },
  'U-16': { question: 'a String that is no number in `<` and its like', choice: 'Undefined' },
  'U-17': { question: '`NULL = NULL`', choice: 'true' },
  'U-18': { question: 'String + Null', choice: 'Undefined' },
  'U-19': { question: 'the sign of `%`', choice: 'that of the left operand' },
  'U-20': {
    question: 'division by zero; negative Int quotients; digits of a Decimal quotient',
    choice: 'Undefined; towards zero; 34 digits, halves up',
  },
  'U-21': {
    question: 'IN with other types',
    choice: 'Boolean and Null compare by `=` too; Undefined on the left or no Array on the right is Undefined',
  },
  'U-22': { question: 'outer names in a nested query', choice: 'not visible, except SET variables; the name behind AS is the element' },
  'U-23': { question: '`arr[0]`', choice: 'refused, with a hint at get()' },
  'U-24': { question: 'a nested query over anything but an Array or Object', choice: 'Undefined' },
  'U-25': { question: 'a variable that was never set', choice: 'refused when the rule is loaded' },
  'U-26': { question: 'a template without a value', choice: 'the action fails; nothing is sent to a half-built name' },
  'U-27': { question: 'ln, log, sqrt outside their domain', choice: 'Undefined' },
  'U-28': { question: 'cast of a negative Decimal to Int', choice: 'floor' },
  'U-29': { question: 'concat of several values without String or Array', choice: 'Undefined' },
  'U-30': { question: 'indexof where nothing is found', choice: '-1' },
  'U-31': { question: 'regexp_substr without a match', choice: 'Undefined' },
  'U-32': { question: 'the flavour of regular expressions', choice: 'RE2: Java’s syntax without what needs backtracking, see below' },
  'U-33': { question: 'transform, both with the same key', choice: 'the Object’s wins' },
  'U-34': { question: 'the language of month and day names', choice: 'English' },
  'U-35': { question: 'topic(n) beyond the last level', choice: 'Undefined; a Decimal loses its fraction' },
  'U-36': { question: 'equal keys in a payload', choice: 'the last wins' },
  'U-37': { question: 'limits of size and depth', choice: 'local ones, see below' },
  'U-38': { question: 'how often rand() and newuuid() are evaluated', choice: 'once for each place they stand in, per message or row' },
  'U-39': { question: 'CASE with an Undefined WHEN', choice: 'never matches' },
}
