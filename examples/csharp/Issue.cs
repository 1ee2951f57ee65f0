// Issue an invoice once, however often the line breaks, then ask until KSeF has decided. .NET's own library alone.

using System;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading.Tasks;

[DataContract]
public class Invoice
{
    [DataMember(Name = "id")] public string Id { get; set; }
    [DataMember(Name = "number")] public string Number { get; set; }
    [DataMember(Name = "mode")] public string Mode { get; set; }
    [DataMember(Name = "state")] public string State { get; set; }
    [DataMember(Name = "ksef_number")] public string KsefNumber { get; set; }
    [DataMember(Name = "hand_over")] public string HandOver { get; set; }
}

[DataContract]
public class Problem
{
    [DataMember(Name = "code")] public string Code { get; set; }
    [DataMember(Name = "detail")] public string Detail { get; set; }
    [DataMember(Name = "retry_safe")] public bool RetrySafe { get; set; }
}

/// <summary>The agent refused, and a repeat cannot change it.</summary>
public class RefusedException : Exception
{
    public RefusedException(Problem problem) : base(problem.Code + ": " + problem.Detail) { }
}

public static class Program
{
    private static readonly string[] Final = { "accepted", "rejected", "exempt" };
    private static readonly HttpClient Till = new HttpClient { Timeout = TimeSpan.FromSeconds(90) };

    private const string Sale = @"{
      ""buyer"": {""nip"": ""5260250274"", ""name"": ""Ministerstwo Finansów"",
                  ""address"": {""line1"": ""ul. Świętokrzyska 12"", ""line2"": ""00-916 Warszawa""}},
      ""prices"": ""gross"",
      ""lines"": [{""name"": ""Kawa ziarnista 1 kg"", ""quantity"": ""2"", ""unit"": ""szt."",
                   ""unit_price"": ""64.90"", ""vat"": ""23""}],
      ""payments"": [{""method"": ""card"", ""amount"": ""129.80""}],
      ""external_ref"": ""order-4711""
    }";

    public static int Main()
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        Till.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", Environment.GetEnvironmentVariable("TOKEN"));
        try
        {
            Run().GetAwaiter().GetResult();
            return 0;
        }
        catch (RefusedException refused)
        {
            Console.Error.WriteLine(refused.Message);
            return 1;
        }
    }

    private static async Task Run()
    {
        string key = Guid.NewGuid().ToString(); // made when the basket begins, and kept until there is an answer
        Invoice invoice = await Call("/v1/invoices", Sale, key);
        Console.WriteLine("{0} {1} {2}", invoice.Number, invoice.Mode, invoice.HandOver);
        for (int asked = 0; asked < 60; asked++)
        {
            invoice = await Call("/v1/invoices/" + invoice.Id);
            if (Final.Contains(invoice.State)) break;
            await Task.Delay(TimeSpan.FromSeconds(2));
        }
        Console.WriteLine("{0} {1}", invoice.State, invoice.KsefNumber);
    }

    /// <summary>Ask until there is an answer; a POST has a key, so that a repeat never makes a second invoice.</summary>
    private static async Task<Invoice> Call(string path, string body = null, string key = null)
    {
        while (true)
        {
            try
            {
                using (HttpRequestMessage request = Request(path, body, key))
                using (HttpResponseMessage answer = await Till.SendAsync(request))
                {
                    byte[] content = await answer.Content.ReadAsByteArrayAsync();
                    if (answer.IsSuccessStatusCode) return Read<Invoice>(content);
                    Problem problem = Read<Problem>(content);
                    if (!problem.RetrySafe) throw new RefusedException(problem);
                }
            }
            catch (HttpRequestException) { }   // nobody knows whether it was issued:
            catch (TaskCanceledException) { }  // the same key tells
            catch (SerializationException) { } // half an answer
            await Task.Delay(TimeSpan.FromSeconds(1));
        }
    }

    private static HttpRequestMessage Request(string path, string body, string key)
    {
        string address = Environment.GetEnvironmentVariable("API") + path;
        if (body == null) return new HttpRequestMessage(HttpMethod.Get, address);
        var request = new HttpRequestMessage(HttpMethod.Post, address);
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        request.Headers.Add("Idempotency-Key", key);
        return request;
    }

    private static T Read<T>(byte[] content)
    {
        using (var stream = new MemoryStream(content))
            return (T)new DataContractJsonSerializer(typeof(T)).ReadObject(stream);
    }
}
