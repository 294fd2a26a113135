// Renders templates with Handlebars and the helpers of the language. Reads a list of
// {source, part, context, assets} from standard input and prints a list of texts.

const Handlebars = require('handlebars');
const { IntlMessageFormat } = require('intl-messageformat');

const isMissing = value => value === undefined || value === null;
const print = value => (isMissing(value) ? '' : String(value));

function instant(value) {
  if (isMissing(value) || value instanceof Date) return value || null;
  if (typeof value === 'object') {
    const { year, month = 1, day = 1, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 } = value;
    return new Date(Date.UTC(year, month - 1, day, hours, minutes, seconds, milliseconds));
  }
  return new Date(value);
}

function render({ source, part, context, assets }) {
  const isHtml = part === 'html';
  const escape = text => (isHtml ? Handlebars.escapeExpression(text) : text);
  let [locale, timeZone, translations] = ['en-US', 'UTC', []];

  function message(text, hash) {
    const values = {};
    for (const [key, value] of Object.entries(hash)) {
      if (typeof value === 'object' && value !== null && value.tag) {
        const { tag, attributes } = value;
        values[key] = chunks => {
          if (!isHtml) return chunks.join('');
          // Handlebars gives the hash from its end.
          const list = Object.entries(attributes).reverse().map(([k, v]) => ` ${k}="${escape(v)}"`);
          return `<${tag}${list.join('')}>${chunks.join('')}</${tag}>`;
        };
      } else if (typeof value === 'object' && value !== null) {
        values[key] = instant(value);
      } else {
        values[key] = typeof value === 'number' ? value : escape(print(value));
      }
    }
    // The library knows the year of the calendar as y only.
    const skeletons = text
      .replace(/::[A-Za-z]+/g, s => s.replace(/Y/g, 'y'))
      // It fails for values that are missing, where the language prints nothing.
      .replace(/\{\s*(\w+)\s*,\s*(?:date|number)[^{}]*\}/g, (all, key) => (isMissing(hash[key]) ? '' : all));
    const formats = { timeZone };
    const format = new IntlMessageFormat(skeletons, locale, undefined, {
      formatters: {
        getNumberFormat: (l, o) => new Intl.NumberFormat(l, o),
        getDateTimeFormat: (l, o) => new Intl.DateTimeFormat(l, { ...o, ...formats }),
        getPluralRules: (l, o) => new Intl.PluralRules(l, o),
      },
    });
    const result = format.format(values);
    return new Handlebars.SafeString(Array.isArray(result) ? result.join('') : result);
  }

  function asset(path, key, fallback) {
    let value = assets[path];
    if (!isMissing(key) && typeof key === 'string') {
      const whole = isMissing(value) ? undefined : value[key];
      value = isMissing(whole) ? key.split('.').reduce((v, k) => (isMissing(v) ? v : v[k]), value) : whole;
    }
    return isMissing(value) ? fallback : value;
  }

  // Letters of Joda that the templates use.
  function joda(value, { format, tz = 'UTC', lang = 'en-US' }) {
    const at = instant(value);
    if (!at) return '';
    const part = options => new Intl.DateTimeFormat(lang, { timeZone: tz, ...options }).format(at);
    return format.replace(/E+|Y+|M+|d+/g, run => {
      if (run[0] === 'E') return part({ weekday: run.length > 3 ? 'long' : 'short' });
      if (run[0] === 'Y') return part({ year: 'numeric' });
      if (run[0] === 'M') return part({ month: run.length > 3 ? 'long' : run.length === 3 ? 'short' : 'numeric' });
      return part({ day: 'numeric' });
    });
  }

  const equal = (a, b) => (isMissing(a) && isMissing(b)) || a === b;
  // The last argument of a helper is its options.
  const positional = (...list) => list.slice(0, -1);
  const handlebars = Handlebars.create();
  handlebars.registerHelper({
    t(key, fallback, options) {
      const texts = translations.find(texts => texts && typeof texts[key] === 'string');
      return message(texts ? texts[key] : fallback, options.hash);
    },
    'format-text': (text, options) => message(text, options.hash),
    'set-translations'(...list) {
      translations = positional(...list);
    },
    'set-locale'(name) {
      locale = name.replace('_', '-');
    },
    'set-timezone'(name) {
      timeZone = typeof name === 'string' ? name : 'UTC';
    },
    asset: (path, ...list) => asset(path, ...positional(...list)),
    concat: (...list) => positional(...list).map(print).join(''),
    'html-tag': (tag, options) => ({ tag, attributes: options.hash }),
    eq(a, b, options) {
      return equal(a, b) ? options.fn(this) : options.inverse(this);
    },
    contains(list, value, options) {
      return (list || []).some(item => equal(item, value)) ? options.fn(this) : options.inverse(this);
    },
    inflect: (count, one, many) => (count === 1 ? one : many),
    date: (value, options) => joda(value, options.hash),
    'date-transform'(value, options) {
      const at = instant(value);
      return at && new Date(at.getTime() + (options.hash.days || 0) * 86400000);
    },
    'money-amount'(money) {
      if (isMissing(money)) return '';
      const digits = new Intl.NumberFormat('en', { style: 'currency', currency: money.currency })
        .resolvedOptions().maximumFractionDigits;
      return new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
        .format(money.amount);
    },
    number: value => (isMissing(value) ? '' : new Intl.NumberFormat('en-US').format(value)),
    'url-encode': value => encodeURIComponent(print(value)),
  });
  const template = handlebars.compile(source, { compat: true, noEscape: !isHtml });
  // Without it inline partials do not know the root as an enclosing context.
  return template(context, { depths: [context] });
}

const orders = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(orders.map(order => {
  try {
    return render(order);
  } catch (error) {
    return { error: String(error) };
  }
})));
