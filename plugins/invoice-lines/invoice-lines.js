// Turns an invoice's lines into a message: lines of one article are added up, discounts and taxes reckoned, and what
// does not fit is summed up in one last line.
import { config, plugin, skip } from './hookswitch.js';

const money = (cents) => (cents / 100).toFixed(2);

function addUp(lines) {
  const articles = new Map();
  for (const [index, line] of lines.entries()) {
    const { article, quantity, price, discount = 0 } = line;
    if (!article || !Number.isFinite(quantity) || !Number.isFinite(price)) {
      throw new Error(`data.lines[${index}] needs an article, a quantity and a price`);
    }
    const cents = Math.round(quantity * price * 100 * (1 - discount / 100));
    const known = articles.get(article) ?? { quantity: 0, cents: 0 };
    articles.set(article, { quantity: known.quantity + quantity, cents: known.cents + cents });
  }
  return [...articles].sort(([, a], [, b]) => b.cents - a.cents);
}

export const router = plugin(({ data: invoice }) => {
  const articles = addUp(invoice.lines ?? []);
  if (articles.length === 0) {
    return skip('the invoice has no lines');
  }
  const most = config('most_lines', 8);
  const lines = articles
    .slice(0, most)
    .map(([article, { quantity, cents }]) => `- ${quantity} x ${article}: ${money(cents)}`);
  const rest = articles.slice(most);
  if (rest.length > 0) {
    lines.push(`- and ${rest.length} more: ${money(rest.reduce((sum, [, { cents }]) => sum + cents, 0))}`);
  }
  const net = articles.reduce((sum, [, { cents }]) => sum + cents, 0);
  const tax = Math.round(net * (invoice.tax_percent ?? 0) / 100);
  return {
    template: 'invoice_lines',
    groups: ['Finance Team'],
    contacts: invoice.customer?.wa_id ? [invoice.customer.wa_id] : [],
    context: {
      number: String(invoice.number ?? 'N/A'),
      lines: lines.join('\n'),
      currency: config('currency', 'USD'),
      tax: money(tax),
      total: money(net + tax),
    },
    dedupeKey: invoice.number === undefined ? undefined : String(invoice.number),
  };
});
