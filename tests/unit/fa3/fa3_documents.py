"""Small FA(3) documents of every kind, between them with every element that a paper has to show.

Each one is valid by the official schema (test_view.py checks that), whatever sense its numbers make.
"""

from __future__ import annotations

SELLER_NIP = "9999999999"

ANNOTATIONS = (
    "<Adnotacje><P_16>2</P_16><P_17>2</P_17><P_18>2</P_18><P_18A>2</P_18A>"
    "<Zwolnienie><P_19N>1</P_19N></Zwolnienie><NoweSrodkiTransportu><P_22N>1</P_22N></NoweSrodkiTransportu>"
    "<P_23>2</P_23><PMarzy><P_PMarzyN>1</P_PMarzyN></PMarzy></Adnotacje>"
)
SELLER = (
    "<Podmiot1><DaneIdentyfikacyjne><NIP>9999999999</NIP><Nazwa>ABC AGD sp. z o. o.</Nazwa></DaneIdentyfikacyjne>"
    "<Adres><KodKraju>PL</KodKraju><AdresL1>ul. Kwiatowa 1</AdresL1><AdresL2>00-001 Warszawa</AdresL2></Adres>"
    "</Podmiot1>"
)
DOMESTIC_BUYER = (
    "<Podmiot2><DaneIdentyfikacyjne><NIP>1111111111</NIP><Nazwa>F.H.U. Jan Kowalski</Nazwa></DaneIdentyfikacyjne>"
    "<Adres><KodKraju>PL</KodKraju><AdresL1>ul. Polna 1</AdresL1></Adres><JST>2</JST><GV>2</GV></Podmiot2>"
)
CONSUMER = (
    "<Podmiot2><DaneIdentyfikacyjne><BrakID>1</BrakID><Nazwa>Anna Nowak</Nazwa></DaneIdentyfikacyjne>"
    "<Adres><KodKraju>PL</KodKraju><AdresL1>ul. Cicha 3</AdresL1></Adres><JST>2</JST><GV>2</GV></Podmiot2>"
)
EU_BUYER = (
    "<Podmiot2><DaneIdentyfikacyjne><KodUE>DE</KodUE><NrVatUE>123456789</NrVatUE><Nazwa>Müller GmbH</Nazwa>"
    "</DaneIdentyfikacyjne><Adres><KodKraju>DE</KodKraju><AdresL1>Hauptstr. 7</AdresL1></Adres>"
    "<JST>2</JST><GV>2</GV></Podmiot2>"
)
FOREIGN_BUYER = (
    "<Podmiot2><DaneIdentyfikacyjne><KodKraju>UA</KodKraju><NrID>UA-778</NrID><Nazwa>ТОВ Київ</Nazwa>"
    "</DaneIdentyfikacyjne><Adres><KodKraju>UA</KodKraju><AdresL1>Хрещатик 1</AdresL1></Adres>"
    "<JST>2</JST><GV>2</GV></Podmiot2>"
)
ONE_LINE = (
    "<FaWiersz><NrWierszaFa>1</NrWierszaFa><P_7>Wkrętak</P_7><P_8A>szt.</P_8A><P_8B>1</P_8B>"
    "<P_9B>123</P_9B><P_11A>123</P_11A><P_12>23</P_12></FaWiersz>"
)


def document(
    *,
    kind: str = "VAT",
    number: str = "FV/2026/11/1",
    issued_on: str = "2026-11-24",
    seller: str = SELLER,
    buyer: str = DOMESTIC_BUYER,
    others: str = "",
    currency: str = "PLN",
    dates: str = "",
    sums: str = "<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_15>123</P_15>",
    annotations: str = ANNOTATIONS,
    after_kind: str = "",
    body: str = ONE_LINE,
    tail: str = "",
) -> bytes:
    """Return a document; the parts come in the schema's order."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Faktura xmlns="http://crd.gov.pl/wzor/2025/06/25/13775/"><Naglowek>'
        '<KodFormularza kodSystemowy="FA (3)" wersjaSchemy="1-0E">FA</KodFormularza>'
        "<WariantFormularza>3</WariantFormularza><DataWytworzeniaFa>2026-11-24T09:00:00Z</DataWytworzeniaFa>"
        f"<SystemInfo>testy</SystemInfo></Naglowek>{seller}{buyer}{others}"
        f"<Fa><KodWaluty>{currency}</KodWaluty><P_1>{issued_on}</P_1><P_1M>Łódź</P_1M><P_2>{number}</P_2>{dates}{sums}"
        f"{annotations}<RodzajFaktury>{kind}</RodzajFaktury>{after_kind}{body}</Fa>{tail}</Faktura>"
    ).encode()


def marked(**values: str) -> str:
    """Return Adnotacje with some of its elements replaced: P_16="1", PMarzy="<P_PMarzy>…"."""
    text = ANNOTATIONS
    for name, value in values.items():
        before, rest = text.split(f"<{name}>", 1)
        text = f"{before}<{name}>{value}</{name}>{rest.split(f'</{name}>', 1)[1]}"
    return text


ADDRESS = "<KodKraju>PL</KodKraju><AdresL1>ul. {0} 5</AdresL1>"

EVERYTHING = document(
    number="FV/A/2026/77",
    seller=(
        "<Podmiot1><PrefiksPodatnika>PL</PrefiksPodatnika><NrEORI>PL9999</NrEORI><DaneIdentyfikacyjne>"
        "<NIP>9999999999</NIP><Nazwa>ABC AGD sp. z o. o.</Nazwa></DaneIdentyfikacyjne>"
        f"<Adres>{ADDRESS.format('Kwiatowa')}<AdresL2>00-001 Warszawa</AdresL2><GLN>5900000000017</GLN></Adres>"
        f"<AdresKoresp>{ADDRESS.format('Pocztowa')}</AdresKoresp>"
        "<DaneKontaktowe><Email>abc@abc.pl</Email><Telefon>667444555</Telefon></DaneKontaktowe>"
        "<StatusInfoPodatnika>1</StatusInfoPodatnika></Podmiot1>"
    ),
    buyer=(
        "<Podmiot2><NrEORI>DE777</NrEORI><DaneIdentyfikacyjne><KodUE>DE</KodUE><NrVatUE>123456789</NrVatUE>"
        "<Nazwa>Müller GmbH</Nazwa></DaneIdentyfikacyjne><Adres><KodKraju>DE</KodKraju><AdresL1>Hauptstr. 7</AdresL1>"
        "</Adres><NrKlienta>K-1</NrKlienta><IDNabywcy>0001</IDNabywcy><JST>2</JST><GV>2</GV></Podmiot2>"
    ),
    others=(
        "<Podmiot3><DaneIdentyfikacyjne><IDWew>2222222222-00001</IDWew><Nazwa>Oddział w Pile</Nazwa>"
        f"</DaneIdentyfikacyjne><Adres>{ADDRESS.format('Pilska')}</Adres><Rola>2</Rola></Podmiot3>"
        "<Podmiot3><DaneIdentyfikacyjne><NIP>2222222222</NIP><Nazwa>Wspólnik</Nazwa></DaneIdentyfikacyjne>"
        "<Rola>4</Rola><Udzial>12.5</Udzial></Podmiot3>"
        "<Podmiot3><DaneIdentyfikacyjne><BrakID>1</BrakID><Nazwa>Świadek</Nazwa></DaneIdentyfikacyjne>"
        "<RolaInna>1</RolaInna><OpisRoli>Obserwator</OpisRoli></Podmiot3>"
        "<PodmiotUpowazniony><DaneIdentyfikacyjne><NIP>6666666666</NIP><Nazwa>Jan Komornik</Nazwa>"
        f"</DaneIdentyfikacyjne><Adres>{ADDRESS.format('Sądowa')}</Adres>"
        "<DaneKontaktowe><EmailPU>k@k.pl</EmailPU></DaneKontaktowe><RolaPU>2</RolaPU></PodmiotUpowazniony>"
    ),
    currency="EUR",
    dates="<WZ>WZ/1</WZ><WZ>WZ/2</WZ><OkresFa><P_6_Od>2026-11-01</P_6_Od><P_6_Do>2026-11-23</P_6_Do></OkresFa>",
    sums=(
        "<P_13_1>100.01</P_13_1><P_14_1>23.02</P_14_1><P_14_1W>99.03</P_14_1W>"
        "<P_13_2>200.04</P_13_2><P_14_2>16.05</P_14_2><P_14_2W>69.06</P_14_2W>"
        "<P_13_3>300.07</P_13_3><P_14_3>15.08</P_14_3><P_14_3W>65.09</P_14_3W>"
        "<P_13_4>400.10</P_13_4><P_14_4>16.11</P_14_4><P_14_4W>68.12</P_14_4W>"
        "<P_13_5>500.13</P_13_5><P_14_5>95.14</P_14_5><P_13_6_1>11.15</P_13_6_1><P_13_6_2>12.16</P_13_6_2>"
        "<P_13_6_3>13.17</P_13_6_3><P_13_7>14.18</P_13_7><P_13_8>15.19</P_13_8><P_13_9>16.20</P_13_9>"
        "<P_13_10>17.21</P_13_10><P_13_11>18.22</P_13_11><P_15>1783.23</P_15>"
    ),
    annotations=marked(
        P_16="1",
        P_17="1",
        P_18="1",
        P_18A="1",
        Zwolnienie="<P_19>1</P_19><P_19B>art. 132 ust. 1 lit. b dyrektywy</P_19B>",
        NoweSrodkiTransportu=(
            "<P_22>1</P_22><P_42_5>1</P_42_5><NowySrodekTransportu><P_22A>2026-10-01</P_22A>"
            "<P_NrWierszaNST>1</P_NrWierszaNST><P_22BMK>Syrena</P_22BMK><P_22BMD>105L</P_22BMD><P_22BK>bordo</P_22BK>"
            "<P_22BNR>WA 12345</P_22BNR><P_22BRP>2026</P_22BRP><P_22B>1234 km</P_22B><P_22B1>VIN00000000000001</P_22B1>"
            "<P_22BT>sedan</P_22BT></NowySrodekTransportu>"
            "<NowySrodekTransportu><P_22A>2026-10-02</P_22A><P_NrWierszaNST>2</P_NrWierszaNST><P_22C>77</P_22C>"
            "<P_22C1>KADŁUB-1</P_22C1></NowySrodekTransportu>"
        ),
        P_23="1",
        PMarzy="<P_PMarzy>1</P_PMarzy><P_PMarzy_3_1>1</P_PMarzy_3_1>",
    ),
    after_kind=(
        "<FP>1</FP><TP>1</TP>"
        "<DodatkowyOpis><Klucz>Numer paragonu fiskalnego</Klucz><Wartosc>W000123</Wartosc></DodatkowyOpis>"
        "<DodatkowyOpis><NrWiersza>2</NrWiersza><Klucz>Kolor</Klucz><Wartosc>zielony</Wartosc></DodatkowyOpis>"
        "<ZwrotAkcyzy>1</ZwrotAkcyzy>"
    ),
    body=(
        "<FaWiersz><NrWierszaFa>1</NrWierszaFa><UU_ID>u-1</UU_ID><P_6A>2026-11-02</P_6A><P_7>Samochód Syrena</P_7>"
        "<Indeks>IDX-9</Indeks><GTIN>5901234123457</GTIN><PKWiU>29.10</PKWiU><CN>8703 22</CN><PKOB>1110</PKOB>"
        "<P_8A>szt.</P_8A><P_8B>2.125</P_8B><P_9A>47.12345</P_9A><P_9B>57.96</P_9B><P_10>0.51</P_10><P_11>100.01</P_11>"
        "<P_11A>123.03</P_11A><P_11Vat>23.02</P_11Vat><P_12>23</P_12><P_12_Zal_15>1</P_12_Zal_15>"
        "<KwotaAkcyzy>3.21</KwotaAkcyzy><GTU>GTU_07</GTU><Procedura>TT_D</Procedura><KursWaluty>4.3021</KursWaluty>"
        "</FaWiersz>"
        "<FaWiersz><NrWierszaFa>2</NrWierszaFa><P_7>Usługa dla konsumenta z Niemiec</P_7><P_8A>usł.</P_8A>"
        "<P_8B>1</P_8B><P_9A>500.13</P_9A><P_11>500.13</P_11><P_12_XII>19</P_12_XII><KursWaluty>4.31</KursWaluty>"
        "</FaWiersz>"
        "<Rozliczenie><Obciazenia><Kwota>5.31</Kwota><Powod>Kaucja za butelki</Powod></Obciazenia>"
        "<SumaObciazen>5.31</SumaObciazen><Odliczenia><Kwota>1.32</Kwota><Powod>Nadpłata z maja</Powod></Odliczenia>"
        "<SumaOdliczen>1.32</SumaOdliczen><DoZaplaty>1787.33</DoZaplaty></Rozliczenie>"
        "<Platnosc><ZnacznikZaplatyCzesciowej>1</ZnacznikZaplatyCzesciowej>"
        "<ZaplataCzesciowa><KwotaZaplatyCzesciowej>10.34</KwotaZaplatyCzesciowej>"
        "<DataZaplatyCzesciowej>2026-11-20</DataZaplatyCzesciowej><FormaPlatnosci>2</FormaPlatnosci></ZaplataCzesciowa>"
        "<ZaplataCzesciowa><KwotaZaplatyCzesciowej>20.35</KwotaZaplatyCzesciowej>"
        "<DataZaplatyCzesciowej>2026-11-21</DataZaplatyCzesciowej><PlatnoscInna>1</PlatnoscInna>"
        "<OpisPlatnosci>żetony</OpisPlatnosci></ZaplataCzesciowa>"
        "<TerminPlatnosci><Termin>2026-12-08</Termin><TerminOpis><Ilosc>14</Ilosc><Jednostka>dni</Jednostka>"
        "<ZdarzeniePoczatkowe>od dostawy</ZdarzeniePoczatkowe></TerminOpis></TerminPlatnosci>"
        "<PlatnoscInna>1</PlatnoscInna><OpisPlatnosci>kompensata</OpisPlatnosci>"
        "<RachunekBankowy><NrRB>73111111111111111111111111</NrRB><SWIFT>ABCDPLPW</SWIFT>"
        "<RachunekWlasnyBanku>1</RachunekWlasnyBanku><NazwaBanku>Bank Alfa</NazwaBanku>"
        "<OpisRachunku>rachunek EUR</OpisRachunku></RachunekBankowy>"
        "<RachunekBankowyFaktora><NrRB>84222222222222222222222222</NrRB></RachunekBankowyFaktora>"
        "<Skonto><WarunkiSkonta>zapłata w 3 dni</WarunkiSkonta><WysokoscSkonta>2%</WysokoscSkonta></Skonto>"
        "<LinkDoPlatnosci>https://zaplac.example.pl/?IPKSeF=123abcdefghij</LinkDoPlatnosci>"
        "<IPKSeF>123abcdefghij</IPKSeF></Platnosc>"
        "<WarunkiTransakcji><Umowy><DataUmowy>2026-01-02</DataUmowy><NrUmowy>U/1</NrUmowy></Umowy>"
        "<Zamowienia><DataZamowienia>2026-01-03</DataZamowienia><NrZamowienia>Z/1</NrZamowienia></Zamowienia>"
        "<NrPartiiTowaru>LOT-1</NrPartiiTowaru><WarunkiDostawy>DAP</WarunkiDostawy><KursUmowny>4.2</KursUmowny>"
        "<WalutaUmowna>EUR</WalutaUmowna><Transport><RodzajTransportu>3</RodzajTransportu><Przewoznik>"
        "<DaneIdentyfikacyjne><NIP>6666666666</NIP><Nazwa>Jan Nowak Transport</Nazwa></DaneIdentyfikacyjne>"
        f"<AdresPrzewoznika>{ADDRESS.format('Bukowa')}</AdresPrzewoznika></Przewoznik>"
        "<NrZleceniaTransportu>ZT-5</NrZleceniaTransportu><OpisLadunku>13</OpisLadunku>"
        "<JednostkaOpakowania>folia</JednostkaOpakowania>"
        "<DataGodzRozpTransportu>2026-11-22T08:00:00Z</DataGodzRozpTransportu>"
        "<DataGodzZakTransportu>2026-11-22T18:00:00Z</DataGodzZakTransportu>"
        f"<WysylkaZ>{ADDRESS.format('Magazynowa')}</WysylkaZ><WysylkaPrzez>{ADDRESS.format('Graniczna')}</WysylkaPrzez>"
        f"<WysylkaDo>{ADDRESS.format('Docelowa')}</WysylkaDo></Transport>"
        "<Transport><TransportInny>1</TransportInny><OpisInnegoTransportu>balon</OpisInnegoTransportu>"
        "<LadunekInny>1</LadunekInny><OpisInnegoLadunku>pióra</OpisInnegoLadunku></Transport>"
        "<PodmiotPosredniczacy>1</PodmiotPosredniczacy></WarunkiTransakcji>"
    ),
    tail=(
        "<Stopka><Informacje><StopkaFaktury>Kapitał zakładowy 5 000 zł</StopkaFaktury></Informacje>"
        "<Rejestry><PelnaNazwa>ABC pełna nazwa</PelnaNazwa><KRS>0000099999</KRS><REGON>999999999</REGON>"
        "<BDO>000099999</BDO></Rejestry></Stopka>"
        "<Zalacznik><BlokDanych><ZNaglowek>Blok pierwszy</ZNaglowek><MetaDane><ZKlucz>PPE</ZKlucz>"
        "<ZWartosc>590000</ZWartosc></MetaDane><Tekst><Akapit>Akapit o energii</Akapit></Tekst>"
        "<Tabela><TMetaDane><TKlucz>Strefa</TKlucz><TWartosc>G11</TWartosc></TMetaDane><Opis>Odczyty</Opis><TNaglowek>"
        '<Kol Typ="txt"><NKom>Licznik</NKom></Kol><Kol Typ="int"><NKom>Wskazanie</NKom></Kol></TNaglowek>'
        "<Wiersz><WKom>L-1</WKom><WKom>1020</WKom></Wiersz><Wiersz><WKom/><WKom>1021</WKom></Wiersz>"
        "<Suma><SKom>Zużycie</SKom><SKom>2041</SKom></Suma></Tabela></BlokDanych></Zalacznik>"
    ),
)

ADVANCE = document(
    kind="ZAL",
    number="ZAL/1",
    dates="<P_6>2026-11-20</P_6>",
    sums="<P_13_1>1000</P_13_1><P_14_1>230</P_14_1><P_15>1230</P_15><KursWalutyZ>4.5</KursWalutyZ>",
    after_kind=(
        "<ZaliczkaCzesciowa><P_6Z>2026-11-19</P_6Z><P_15Z>1000.10</P_15Z><KursWalutyZW>4.41</KursWalutyZW>"
        "</ZaliczkaCzesciowa><ZaliczkaCzesciowa><P_6Z>2026-11-20</P_6Z><P_15Z>229.90</P_15Z></ZaliczkaCzesciowa>"
    ),
    body=(
        "<Zamowienie><WartoscZamowienia>2460</WartoscZamowienia><ZamowienieWiersz><NrWierszaZam>1</NrWierszaZam>"
        "<UU_IDZ>z-1</UU_IDZ><P_7Z>Kuchnia na wymiar</P_7Z><IndeksZ>KU-1</IndeksZ><P_8AZ>kpl.</P_8AZ><P_8BZ>1</P_8BZ>"
        "<P_9AZ>2000</P_9AZ><P_11NettoZ>2000</P_11NettoZ><P_11VatZ>460</P_11VatZ><P_12Z>23</P_12Z>"
        "</ZamowienieWiersz></Zamowienie>"
    ),
)

SETTLEMENT = document(
    kind="ROZ",
    number="ROZ/1",
    sums="<P_13_1>1000</P_13_1><P_14_1>230</P_14_1><P_15>1230</P_15>",
    after_kind=(
        "<FakturaZaliczkowa><NrKSeFZN>1</NrKSeFZN><NrFaZaliczkowej>ZAL/0</NrFaZaliczkowej></FakturaZaliczkowa>"
        "<FakturaZaliczkowa><NrKSeFFaZaliczkowej>9999999999-20261120-8BEF280C8D35-4D</NrKSeFFaZaliczkowej>"
        "</FakturaZaliczkowa>"
    ),
    body=(
        "<FaWiersz><NrWierszaFa>1</NrWierszaFa><P_7>Kuchnia na wymiar</P_7><P_8A>kpl.</P_8A><P_8B>1</P_8B>"
        "<P_9A>2000</P_9A><P_11>2000</P_11><P_12>23</P_12></FaWiersz>"
    ),
)

CORRECTION = document(
    kind="KOR",
    number="KOR/1",
    sums="<P_13_1>-50</P_13_1><P_14_1>-11.50</P_14_1><P_15>-61.50</P_15>",
    after_kind=(
        "<PrzyczynaKorekty>zwrot towaru</PrzyczynaKorekty><TypKorekty>2</TypKorekty>"
        "<DaneFaKorygowanej><DataWystFaKorygowanej>2026-11-20</DataWystFaKorygowanej>"
        "<NrFaKorygowanej>FV/1</NrFaKorygowanej><NrKSeF>1</NrKSeF>"
        "<NrKSeFFaKorygowanej>9999999999-20261120-8BEF280C8D35-4D</NrKSeFFaKorygowanej></DaneFaKorygowanej>"
        "<DaneFaKorygowanej><DataWystFaKorygowanej>2025-11-20</DataWystFaKorygowanej>"
        "<NrFaKorygowanej>FV/PAPIER/2</NrFaKorygowanej><NrKSeFN>1</NrKSeFN></DaneFaKorygowanej>"
        "<OkresFaKorygowanej>listopad 2026</OkresFaKorygowanej><NrFaKorygowany>FV/1/BIS</NrFaKorygowany>"
        "<Podmiot1K><DaneIdentyfikacyjne><NIP>9999999999</NIP><Nazwa>ABC stara nazwa</Nazwa></DaneIdentyfikacyjne>"
        f"<Adres>{ADDRESS.format('Stara')}</Adres></Podmiot1K>"
        "<Podmiot2K><DaneIdentyfikacyjne><NIP>1111111111</NIP><Nazwa>Jan Kowalsky</Nazwa></DaneIdentyfikacyjne>"
        "</Podmiot2K>"
    ),
    body=(
        "<FaWiersz><NrWierszaFa>1</NrWierszaFa><P_7>Wiertarka</P_7><P_8A>szt.</P_8A><P_8B>2</P_8B><P_9A>50</P_9A>"
        "<P_11>100</P_11><P_12>23</P_12><StanPrzed>1</StanPrzed></FaWiersz>"
        "<FaWiersz><NrWierszaFa>2</NrWierszaFa><P_7>Wiertarka</P_7><P_8A>szt.</P_8A><P_8B>1</P_8B><P_9A>50</P_9A>"
        "<P_11>50</P_11><P_12>23</P_12></FaWiersz>"
    ),
)

CORRECTION_OF_ADVANCE = document(
    kind="KOR_ZAL",
    number="KOR/ZAL/1",
    sums="<P_13_1>-100</P_13_1><P_14_1>-23</P_14_1><P_15>-123</P_15>",
    after_kind=(
        "<DaneFaKorygowanej><DataWystFaKorygowanej>2026-11-20</DataWystFaKorygowanej>"
        "<NrFaKorygowanej>ZAL/1</NrFaKorygowanej><NrKSeFN>1</NrKSeFN></DaneFaKorygowanej>"
        "<P_15ZK>1230.70</P_15ZK><KursWalutyZK>4.44</KursWalutyZK>"
    ),
    body=(
        "<Zamowienie><WartoscZamowienia>2460</WartoscZamowienia>"
        "<ZamowienieWiersz><NrWierszaZam>1</NrWierszaZam><P_7Z>Kuchnia</P_7Z><P_8BZ>1</P_8BZ><P_9AZ>2000</P_9AZ>"
        "<P_11NettoZ>2000</P_11NettoZ><P_11VatZ>460</P_11VatZ><P_12Z>23</P_12Z><StanPrzedZ>1</StanPrzedZ>"
        "</ZamowienieWiersz><ZamowienieWiersz><NrWierszaZam>2</NrWierszaZam><P_7Z>Kuchnia</P_7Z><P_8BZ>1</P_8BZ>"
        "<P_9AZ>1900</P_9AZ><P_11NettoZ>1900</P_11NettoZ><P_11VatZ>437</P_11VatZ><P_12Z>23</P_12Z>"
        "</ZamowienieWiersz></Zamowienie>"
    ),
)

CORRECTION_OF_SETTLEMENT = document(
    kind="KOR_ROZ",
    number="KOR/ROZ/1",
    sums="<P_13_1>-100</P_13_1><P_14_1>-23</P_14_1><P_15>-123</P_15>",
    after_kind=(
        "<DaneFaKorygowanej><DataWystFaKorygowanej>2026-11-20</DataWystFaKorygowanej>"
        "<NrFaKorygowanej>ROZ/1</NrFaKorygowanej><NrKSeFN>1</NrKSeFN></DaneFaKorygowanej>"
        "<P_15ZK>1230.71</P_15ZK>"
    ),
)

SIMPLIFIED = document(
    kind="UPR",
    number="UPR/1",
    sums="<P_15>450</P_15>",
    body="<FaWiersz><NrWierszaFa>1</NrWierszaFa><P_7>Wiertarka</P_7><P_12>23</P_12></FaWiersz>",
)

ALL: dict[str, bytes] = {
    "VAT": document(),
    "EVERYTHING": EVERYTHING,
    "ZAL": ADVANCE,
    "ROZ": SETTLEMENT,
    "KOR": CORRECTION,
    "KOR_ZAL": CORRECTION_OF_ADVANCE,
    "KOR_ROZ": CORRECTION_OF_SETTLEMENT,
    "UPR": SIMPLIFIED,
    "CONSUMER": document(buyer=CONSUMER),
    "EU": document(buyer=EU_BUYER),
    "FOREIGN": document(buyer=FOREIGN_BUYER),
}
"""By name."""
ACCEPTED: dict[str, bytes] = {name: xml for name, xml in ALL.items() if name != "EVERYTHING"}
"""Those a till takes: EVERYTHING has each element once, so its sums stand for no lines."""
