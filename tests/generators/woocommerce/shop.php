<?php

// As much of WordPress and WooCommerce as the plugin touches: hooks, one order, scheduled actions, HTTP, REST.
// Runs the plugin over an order until nothing is scheduled, then plays one webhook; prints what the shop knows as JSON.

declare(strict_types=1);

define('ABSPATH', __DIR__);
define('KSEF_AGENT_API', getenv('API'));
define('KSEF_AGENT_TOKEN', getenv('TOKEN'));
define('KSEF_AGENT_SECRET', 'a secret of at least thirty-two letters');

final class WP_Error {}

final class WP_REST_Response
{
    public function __construct(public mixed $data, public int $status) {}
}

final class WP_REST_Request
{
    public function __construct(private string $signature, private string $body) {}
    public function get_header(string $name): ?string { return $name === 'X-Ksef-Agent-Signature' ? $this->signature : null; }
    public function get_body(): string { return $this->body; }
}

final class WC_Tax
{
    public static function get_rate_percent_value(int $rate_id): float { return [1 => 23.0, 2 => 5.0, 3 => 19.0][$rate_id]; }
}

final class Product
{
    public function get_sku(): string { return 'KAWA-1KG'; }
}

final class Item
{
    public function __construct(private string $name, private float $quantity, private float $net, private float $tax, private int $rate_id) {}
    public function get_name(): string { return $this->name; }
    public function get_quantity(): float { return $this->quantity; }
    public function get_total(): string { return (string) $this->net; }
    public function get_total_tax(): string { return (string) $this->tax; }
    public function get_taxes(): array { return ['total' => $this->tax ? [$this->rate_id => (string) $this->tax] : []]; }
    public function get_product(): Product { return new Product(); }
}

final class WC_Order
{
    public array $meta = ['_billing_nip' => '526-025-02-74'];
    public array $notes = [];
    public int $saved = 0;
    public function __construct(private int $id, private array $items, private string $total) {}
    public function get_id(): int { return $this->id; }
    public function get_items(array $types): array { return $this->items; }
    public function get_total(): string { return $this->total; }
    public function get_currency(): string { return 'PLN'; }
    public function get_payment_method(): string { return 'cod'; }
    public function get_billing_company(): string { return 'Ministerstwo Finansów'; }
    public function get_billing_first_name(): string { return 'Anna'; }
    public function get_billing_last_name(): string { return 'Nowak'; }
    public function get_billing_address_1(): string { return 'ul. Świętokrzyska 12'; }
    public function get_billing_address_2(): string { return ''; }
    public function get_billing_postcode(): string { return '00-916'; }
    public function get_billing_city(): string { return 'Warszawa'; }
    public function get_billing_country(): string { return 'PL'; }
    public function get_billing_email(): string { return 'biuro@example.pl'; }
    public function get_meta(string $name): string { return $this->meta[$name] ?? ''; }
    public function update_meta_data(string $name, string $value): void { $this->meta[$name] = $value; }
    public function save(): void { $this->saved++; }
    public function add_order_note(string $note): void { $this->notes[] = $note; }
}

$rate = (int) (getenv('RATE_ID') ?: 1);
$order = new WC_Order(4711, [
    new Item('Kawa ziarnista 1 kg', 3, 158.29, 36.41, $rate), // 64.90 each, gross
    new Item('Wysyłka', 1, 0.0, 0.0, 1),
], '194.70');
$hooks = $scheduled = $routes = [];

function add_action(string $hook, callable $does): void { $GLOBALS['hooks'][$hook][] = $does; }
function do_action(string $hook, mixed ...$given): void { foreach ($GLOBALS['hooks'][$hook] ?? [] as $does) { $does(...$given); } }
function as_enqueue_async_action(string $hook, array $given, string $group, bool $unique): void { $GLOBALS['scheduled'][] = [$hook, $given]; }
function as_schedule_single_action(int $at, string $hook, array $given, string $group, bool $unique): void { $GLOBALS['scheduled'][] = [$hook, $given]; }
function register_rest_route(string $space, string $route, array $what): void { $GLOBALS['routes']["$space$route"] = $what; }
function wc_get_order(int $id): WC_Order|false { return $id === 4711 ? $GLOBALS['order'] : false; }
function wp_json_encode(mixed $value): string { return json_encode($value, JSON_THROW_ON_ERROR); }
function esc_html(string $text): string { return htmlspecialchars($text, ENT_QUOTES); }
function wp_remote_retrieve_response_code(array|WP_Error $answer): int|string { return is_array($answer) ? $answer['status'] : ''; }
function wp_remote_retrieve_body(array|WP_Error $answer): string { return is_array($answer) ? $answer['body'] : ''; }

function wp_remote_post(string $url, array $given): array|WP_Error
{
    $curl = curl_init($url);
    $headers = array_map(static fn ($name, $value) => "$name: $value", array_keys($given['headers']), $given['headers']);
    curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_POSTFIELDS => $given['body'], CURLOPT_HTTPHEADER => $headers]);
    $body = curl_exec($curl);
    return is_string($body) ? ['status' => curl_getinfo($curl, CURLINFO_RESPONSE_CODE), 'body' => $body] : new WP_Error();
}

require getenv('PLUGIN');
do_action('before_woocommerce_init');
do_action('rest_api_init');
do_action('woocommerce_order_status_completed', 4711);
$runs = 0;
while ($scheduled !== [] && $runs < 10) {
    [$hook, $given] = array_shift($scheduled);
    do_action($hook, ...$given);
    $runs++;
}
do_action('ksef_agent_issue', 4711); // a second click on "completed"
$take = $routes['ksef-agent/v1/events']['callback'];
$body = wp_json_encode(['id' => 2, 'type' => 'invoice.accepted', 'invoice' => [
    'id' => $order->get_meta('_ksef_agent_id'), 'number' => $order->get_meta('_ksef_agent_number'),
    'external_ref' => '4711', 'ksef_number' => '5265877635-20261124-0100001AF629-AF',
]]);
$sign = static fn (int $at, string $secret): string => "t=$at,v1=" . hash_hmac('sha256', "$at.$body", $secret);
$webhooks = array_map(static fn (string $signature): int => $take(new WP_REST_Request($signature, $body))->status, [
    'forged' => $sign(time(), 'another secret, also long enough....'),
    'late' => $sign(time() - 301, KSEF_AGENT_SECRET),
    'none' => '',
    'true' => $sign(time(), KSEF_AGENT_SECRET),
]);
ob_start();
do_action('woocommerce_order_details_after_order_table', $order);
echo json_encode(['runs' => $runs, 'meta' => $order->meta, 'notes' => $order->notes, 'webhooks' => $webhooks, 'shown' => ob_get_clean()]);
